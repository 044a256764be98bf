package stories

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/test/harness"
	"golang.org/x/sys/unix"
)

// command is a command line under way.
type command struct {
	*exec.Cmd
	out, errs *harness.Buffer
}

// begin runs berth against the world's engine, which it does not start: the test does.
func begin(w *harness.World, in string, args ...string) *command {
	w.Helper()
	c := &command{exec.Command(filepath.Join(harness.Bin(), "berth"), args...), &harness.Buffer{}, &harness.Buffer{}}
	c.Env = []string{"BERTH_HOST=unix://" + w.Layout.Socket(), "PATH=/bin", "DOCKER_CONFIG=" + w.TempDir()}
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(in), c.out, c.errs
	w.Must(c.Start())
	w.Cleanup(func() { c.Process.Kill() })
	return c
}

// code waits for the end of a command line and gives its exit code.
func (c *command) code(w *harness.World) int {
	w.Helper()
	timer := time.AfterFunc(90*time.Second, func() { c.Process.Kill() })
	defer timer.Stop()
	c.Wait()
	return c.ProcessState.ExitCode()
}

// numbers are the lines that letters writes.
func numbers(n int) (out string) {
	for i := range n {
		out += string(rune('a'+i)) + "\n"
	}
	return out
}

// letters writes a letter every tenth of a second and ends with a code.
const letters = "for i in a b c d e f g h i j k l m n o p q r s t; do echo $i; usleep 100000; done; exit 23"

// Command lines that wait for a container live through the death of the engine: nothing of the output is lost or
// doubled, and the exit code is the container's.
func TestCommandLinesOutliveTheEngine(t *testing.T) {
	w := harness.New(t)
	w.Run(harness.Spec{Name: "execs", Cmd: []string{"sleep", "1000"}})
	w.Run(harness.Spec{Name: "ends", Cmd: []string{"sh", "-c", "sleep 3; exit 24"}})
	w.Run(harness.Spec{Name: "attached", Cmd: []string{"sh", "-c", "sleep 2; echo late; exit 25"}})
	w.Create(harness.Spec{Name: "starts", Cmd: []string{"sh", "-c", letters}})
	runs := map[string]*command{
		"kept":   begin(w, "", "run", "--name", "kept", "bb", "sh", "-c", letters),
		"rm":     begin(w, "", "run", "--rm", "bb", "sh", "-c", letters),
		"start":  begin(w, "", "start", "-a", "starts"),
		"exec":   begin(w, "", "exec", "execs", "sh", "-c", letters),
		"attach": begin(w, "", "attach", "attached"),
		"wait":   begin(w, "", "wait", "ends"),
	}
	for _, name := range []string{"kept", "rm", "start", "exec"} {
		w.Eventually(name+" writes", func() bool { return strings.Contains(runs[name].out.String(), "a\n") })
	}
	w.Signal(unix.SIGKILL)
	time.Sleep(300 * time.Millisecond)
	w.Start()
	for name, want := range map[string]struct {
		code int
		out  string
	}{
		"kept": {23, numbers(20)}, "rm": {23, numbers(20)}, "start": {23, numbers(20)}, "exec": {23, numbers(20)},
		"attach": {25, "late\n"}, "wait": {0, "24\n"},
	} {
		c := runs[name]
		if code := c.code(w); code != want.code || c.out.String() != want.out || c.errs.String() != "" {
			t.Errorf("%s: exit code %d, wrote %q, %q", name, code, c.out.String(), c.errs.String())
		}
	}
}

// A container that ends, and is removed, before the next engine is asked about it: its exit code is known all the same.
func TestTheEndWhileTheEngineIsAway(t *testing.T) {
	w := harness.New(t)
	kept, rm := begin(w, "", "run", "bb", "sh", "-c", "echo x; sleep 1; echo y; exit 26"), begin(w, "", "run", "--rm", "bb", "sh", "-c", "echo x; sleep 1; echo y; exit 27")
	for _, c := range []*command{kept, rm} {
		w.Eventually("it runs", func() bool { return c.out.String() == "x\n" })
	}
	w.Signal(unix.SIGKILL)
	time.Sleep(2 * time.Second)
	w.Start()
	for want, c := range map[int]*command{26: kept, 27: rm} {
		if code := c.code(w); code != want || c.out.String() != "x\ny\n" || c.errs.String() != "" {
			t.Errorf("exit code %d, not %d; wrote %q, %q", code, want, c.out.String(), c.errs.String())
		}
	}
}

// An engine that does not come back is told of in one line.
func TestAnEngineThatStaysAway(t *testing.T) {
	w := harness.New(t)
	c := begin(w, "", "run", "--name", "alone", "bb", "sh", "-c", "echo x; sleep 1000")
	w.Eventually("it runs", func() bool { return c.out.String() == "x\n" })
	w.Signal(unix.SIGKILL)
	// A stream lives on with the container; who looks for the engine gives up after half a minute.
	time.Sleep(31 * time.Second)
	w.Start()
	w.Remove("alone")
	code := c.code(w)
	first, _, _ := strings.Cut(c.errs.String(), "\n")
	if code != 125 || !strings.Contains(first, "the engine went away and did not come back within 30s") {
		t.Errorf("exit code %d, wrote %q, %q", code, c.out.String(), c.errs.String())
	}
}
