package stories

import (
	"io"
	"strings"
	"testing"

	"github.com/berthhq/berth/test/harness"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

func TestExec(t *testing.T) {
	w := harness.New(t)
	id := w.Run(harness.Spec{Name: "box", Cmd: []string{"sleep", "1000"}})
	w.Part("user, environment, directory", func(w *harness.World) {
		out, code, err := w.TryExec(id, client.ExecCreateOptions{Cmd: []string{"sh", "-c", "id -u; id -g; pwd; echo $K"}, User: "nobody", Env: []string{"K=v"}, WorkingDir: "/tmp"})
		if err != nil || code != 0 || out != "65534\n65534\n/tmp\nv\n" {
			w.Errorf("%q, %d, %v", out, code, err)
		}
	})
	w.Part("a terminal", execTerminal)
	w.Part("input that ends", execInput)
	w.Part("what cannot run says why", execFailures)
	w.Part("detached", func(w *harness.World) {
		e, err := w.API.ExecCreate(w.Ctx(), id, client.ExecCreateOptions{Cmd: []string{"sh", "-c", "touch /tmp/was-here; exit 4"}})
		w.Must(err)
		_, err = w.API.ExecStart(w.Ctx(), e.ID, client.ExecStartOptions{Detach: true})
		w.Must(err)
		w.Eventually("its exit code is known", func() bool {
			st, err := w.API.ExecInspect(w.Ctx(), e.ID, client.ExecInspectOptions{})
			w.Must(err)
			return !st.Running && st.ExitCode == 4
		})
		if _, code := w.Exec(id, "test", "-e", "/tmp/was-here"); code != 0 {
			w.Error("it did nothing")
		}
		if _, err := w.API.ExecStart(w.Ctx(), e.ID, client.ExecStartOptions{Detach: true}); err == nil {
			w.Error("it was started twice")
		}
	})
}

func execTerminal(w *harness.World) {
	size := client.ConsoleSize{Height: 33, Width: 77}
	e, err := w.API.ExecCreate(w.Ctx(), "box", client.ExecCreateOptions{
		Cmd: []string{"sh", "-c", "tty; stty size; read x; stty size; echo got $x"}, TTY: true, AttachStdin: true, AttachStdout: true, AttachStderr: true, ConsoleSize: size,
	})
	w.Must(err)
	a, err := w.API.ExecAttach(w.Ctx(), e.ID, client.ExecAttachOptions{TTY: true, ConsoleSize: size})
	w.Must(err)
	defer a.Close()
	waitFor(w, a.Reader, "33 77")
	_, err = w.API.ExecResize(w.Ctx(), e.ID, client.ExecResizeOptions{Height: 44, Width: 88})
	w.Must(err)
	_, err = io.WriteString(a.Conn, "hello\n")
	w.Must(err)
	rest, _ := io.ReadAll(a.Reader)
	if !strings.Contains(string(rest), "44 88") || !strings.Contains(string(rest), "got hello") {
		w.Errorf("the rest is %q", rest)
	}
}

func execInput(w *harness.World) {
	e, err := w.API.ExecCreate(w.Ctx(), "box", client.ExecCreateOptions{Cmd: []string{"sh", "-c", "wc -l; echo done"}, AttachStdin: true, AttachStdout: true, AttachStderr: true})
	w.Must(err)
	a, err := w.API.ExecAttach(w.Ctx(), e.ID, client.ExecAttachOptions{})
	w.Must(err)
	defer a.Close()
	_, err = io.WriteString(a.Conn, "one\ntwo\nthree\n")
	w.Must(err)
	w.Must(a.CloseWrite())
	if out, errs := w.Split(a.Reader); out != "3\ndone\n" || errs != "" {
		w.Errorf("%q, %q", out, errs)
	}
}

func execFailures(w *harness.World) {
	for i := range 10 {
		for _, c := range []struct {
			o    client.ExecCreateOptions
			code int
			text string
		}{
			{client.ExecCreateOptions{Cmd: []string{"missing"}}, 127, "executable file not found"},
			{client.ExecCreateOptions{Cmd: []string{"/notexec"}}, 126, "permission denied"},
		} {
			out, code, err := w.TryExec("box", c.o)
			if err != nil || code != c.code && c.code != 128 || code == 0 || !strings.Contains(out, c.text) {
				w.Fatalf("round %d, %q: %q, %d, %v", i, c.o.Cmd, out, code, err)
			}
		}
	}
	_, err := w.API.ExecCreate(w.Ctx(), "box", client.ExecCreateOptions{Cmd: []string{"true"}, User: "ghost"})
	if !cerrdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), "unable to find user ghost") {
		w.Errorf("an unknown user: %v, want a refusal of the request, as dockerd's", err)
	}
}

// waitFor reads until a text has come.
func waitFor(w *harness.World, r io.Reader, text string) string {
	w.Helper()
	var all []byte
	buf := make([]byte, 4096)
	for !strings.Contains(string(all), text) {
		n, err := r.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil {
			w.Fatalf("no %q came, only %q: %v", text, all, err)
		}
	}
	return string(all)
}
