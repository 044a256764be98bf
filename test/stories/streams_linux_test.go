package stories

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

func attach(w *harness.World, id string, o client.ContainerAttachOptions) client.HijackedResponse {
	w.Helper()
	o.Stream = true
	a, err := w.API.ContainerAttach(w.Ctx(), id, o)
	w.Must(err)
	w.Cleanup(a.Close)
	return a.HijackedResponse
}

func TestAttach(t *testing.T) {
	w := harness.New(t)
	w.Part("half-closed input", halfClosed)
	w.Part("several clients", severalClients)
	w.Part("a terminal, its size, detach keys", terminal)
	w.Part("what was said before", attachWithLogs)
}

// A client that has said all it has to say still hears the answer.
func halfClosed(w *harness.World) {
	id := w.Create(harness.Spec{Cmd: []string{"sh", "-c", "sort; echo end >&2; exit 4"}, Conf: func(c *container.Config, _ *container.HostConfig) {
		c.OpenStdin, c.StdinOnce, c.AttachStdin = true, true, true
	}})
	a := attach(w, id, client.ContainerAttachOptions{Stdin: true, Stdout: true, Stderr: true})
	w.Begin(id)
	_, err := io.WriteString(a.Conn, "b\na\n")
	w.Must(err)
	w.Must(a.CloseWrite())
	if out, errs := w.Split(a.Reader); out != "a\nb\n" || errs != "end\n" {
		w.Errorf("%q, %q", out, errs)
	}
	if code := w.Wait(id); code != 4 {
		w.Errorf("exit code %d", code)
	}
}

// All clients hear everything, each may speak, and one that leaves disturbs nobody.
func severalClients(w *harness.World) {
	id := w.Create(harness.Spec{Cmd: []string{"sh", "-c", "while read x; do echo heard $x; [ $x = stop ] && exit; done"}, Conf: func(c *container.Config, _ *container.HostConfig) {
		c.OpenStdin = true
	}})
	both := client.ContainerAttachOptions{Stdin: true, Stdout: true}
	first, second := attach(w, id, both), attach(w, id, both)
	listener := attach(w, id, client.ContainerAttachOptions{Stdout: true})
	w.Begin(id)
	io.WriteString(first.Conn, "one\n")
	waitFor(w, second.Reader, "heard one\n")
	first.Close()
	io.WriteString(second.Conn, "two\n")
	waitFor(w, second.Reader, "heard two\n")
	io.WriteString(second.Conn, "stop\n")
	if out, _ := w.Split(listener.Reader); out != "heard one\nheard two\nheard stop\n" {
		w.Errorf("the one who only listens heard %q", out)
	}
	if code := w.Wait(id); code != 0 {
		w.Errorf("exit code %d", code)
	}
}

func terminal(w *harness.World) {
	id := w.Create(harness.Spec{Cmd: []string{"sh", "-c", "stty size; read x; stty size; while read x; do echo heard $x; done"}, Conf: func(c *container.Config, h *container.HostConfig) {
		c.OpenStdin, c.Tty, h.ConsoleSize = true, true, [2]uint{31, 71}
	}})
	both := client.ContainerAttachOptions{Stdin: true, Stdout: true, DetachKeys: "ctrl-x,q"}
	a := attach(w, id, both)
	w.Begin(id)
	waitFor(w, a.Reader, "31 71")
	_, err := w.API.ContainerResize(w.Ctx(), id, client.ContainerResizeOptions{Height: 42, Width: 82})
	w.Must(err)
	io.WriteString(a.Conn, "\n")
	waitFor(w, a.Reader, "42 82")
	io.WriteString(a.Conn, "\x18q")
	if rest, err := io.ReadAll(a.Reader); err != nil {
		w.Errorf("after detaching: %q, %v", rest, err)
	}
	if !w.Inspect(id).State.Running {
		w.Error("it ended when its client detached")
	}
	again := attach(w, id, both)
	io.WriteString(again.Conn, "again\n")
	waitFor(w, again.Reader, "heard again")
	w.Remove(id)
	if _, err := io.ReadAll(again.Reader); err != nil {
		w.Errorf("at the end: %v", err)
	}
}

func attachWithLogs(w *harness.World) {
	id := w.Run(harness.Spec{Cmd: []string{"sh", "-c", "echo before; while [ ! -e /go ]; do usleep 20000; done; echo after"}})
	w.Eventually("it has spoken", func() bool { out, _ := w.Logs(id); return out == "before\n" })
	a := attach(w, id, client.ContainerAttachOptions{Stdout: true, Logs: true})
	w.Exec(id, "touch", "/go")
	if out, _ := w.Split(a.Reader); out != "before\nafter\n" {
		w.Errorf("%q", out)
	}
}

func TestLogs(t *testing.T) {
	w := harness.New(t)
	for _, driver := range []string{"json-file", "local"} {
		w.Part("follow across rotation, "+driver, func(w *harness.World) { followRotation(w, driver) })
	}
	w.Part("since, until, tail, timestamps", logSelection)
}

// A follower misses no line though files are rotated under it, and its stream ends with the container.
func followRotation(w *harness.World, driver string) {
	const lines = 3000
	script := fmt.Sprintf("i=0; while [ $i -lt %d ]; do echo line $i of a log that is rotated; i=$((i+1)); done", lines)
	id := w.Create(harness.Spec{Cmd: []string{"sh", "-c", script}, Conf: func(_ *container.Config, h *container.HostConfig) {
		h.LogConfig = container.LogConfig{Type: driver, Config: map[string]string{"max-size": "64k", "max-file": "20", "compress": "true"}}
	}})
	w.Begin(id)
	r, err := w.API.ContainerLogs(w.Ctx(), id, client.ContainerLogsOptions{ShowStdout: true, Follow: true})
	w.Must(err)
	defer r.Close()
	out, _ := w.Split(r)
	n := 0
	for s := bufio.NewScanner(strings.NewReader(out)); s.Scan(); n++ {
		if want := fmt.Sprintf("line %d of a log that is rotated", n); s.Text() != want {
			w.Fatalf("line %d is %q", n, s.Text())
		}
	}
	if n != lines {
		w.Errorf("%d lines of %d", n, lines)
	}
}

func logSelection(w *harness.World) {
	id := w.Run(harness.Spec{Cmd: []string{"sh", "-c", "for i in 1 2 3 4 5; do echo $i; echo e$i >&2; usleep 2000; done"}})
	w.Wait(id)
	get := func(o client.ContainerLogsOptions) (string, string) {
		w.Helper()
		r, err := w.API.ContainerLogs(w.Ctx(), id, o)
		w.Must(err)
		defer r.Close()
		return w.Split(r)
	}
	if out, errs := get(client.ContainerLogsOptions{ShowStdout: true}); out != "1\n2\n3\n4\n5\n" || errs != "" {
		w.Errorf("stdout alone: %q, %q", out, errs)
	}
	if out, _ := get(client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Tail: "3"}); strings.Count(out, "\n") > 3 {
		w.Errorf("tail 3: %q", out)
	}
	stamped, _ := get(client.ContainerLogsOptions{ShowStdout: true, Timestamps: true})
	third, text, ok := strings.Cut(strings.Split(stamped, "\n")[2], " ")
	if !ok || text != "3" {
		w.Fatalf("with timestamps: %q", stamped)
	}
	if out, _ := get(client.ContainerLogsOptions{ShowStdout: true, Since: third}); out != "3\n4\n5\n" {
		w.Errorf("since the third: %q", out)
	}
	if out, _ := get(client.ContainerLogsOptions{ShowStdout: true, Until: third}); out != "1\n2\n3\n" {
		w.Errorf("until the third: %q", out)
	}
}
