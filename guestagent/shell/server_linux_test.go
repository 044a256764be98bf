package shell

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/berthhq/berth/internal/agentapi"
	"golang.org/x/sys/unix"
)

// patience is for a machine that is busy with other tests.
const patience = time.Minute

// start runs programs of this system as the guest agent runs those of the image.
func start(p Program) (Process, error) {
	c := exec.Command("/bin/sh")
	if len(p.Args) > 0 {
		c.Args = append(c.Args, append([]string{"-c", `exec "$@"`, "sh"}, p.Args...)...)
	}
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "TERM=" + p.Term, "PS1=> "}
	c.Stdin, c.Stdout, c.Stderr = p.Stdin, p.Stdout, p.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: p.Terminal}
	if err := c.Start(); err != nil {
		return Process{}, err
	}
	end := make(chan unix.WaitStatus, 1)
	go func() {
		_ = c.Wait()
		end <- unix.WaitStatus(c.ProcessState.Sys().(syscall.WaitStatus))
	}()
	return Process{Ended: end, Signal: func(s unix.Signal) { _ = unix.Kill(-c.Process.Pid, s) }}, nil
}

// host is the other end of a stream.
type host struct {
	*testing.T
	net.Conn
	served chan struct{} // closed when the server is done with it
}

func connect(t *testing.T, want *agentapi.Shell) *host {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var conns [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socket")
		if conns[i], err = net.FileConn(f); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	h := &host{T: t, Conn: conns[0], served: make(chan struct{})}
	go func() {
		defer close(h.served)
		(&Server{Start: start}).serve(conns[1])
	}()
	t.Cleanup(func() { _ = h.Close(); h.done() })
	_ = h.SetDeadline(time.Now().Add(patience))
	if err := agentapi.WriteFrame(h, agentapi.Open{Shell: want}); err != nil {
		t.Fatal(err)
	}
	return h
}

// done waits until the server has let go of the stream.
func (h *host) done() {
	h.Helper()
	select {
	case <-h.served:
	case <-time.After(patience):
		h.Fatal("the server still serves the stream")
	}
}

func (h *host) opened() *agentapi.Error {
	h.Helper()
	var o agentapi.Opened
	if err := agentapi.ReadFrame(h, &o); err != nil {
		h.Fatal(err)
	}
	return o.Error
}

func (h *host) send(kind agentapi.ShellKind, b []byte) {
	h.Helper()
	if err := agentapi.WriteChunk(h, kind, b); err != nil {
		h.Fatal(err)
	}
}

// rest reads until the exit code.
func (h *host) rest() (out, errs string, code int) {
	h.Helper()
	var texts [2]bytes.Buffer
	for buf := make([]byte, agentapi.MaxChunk); ; {
		kind, b, err := agentapi.ReadChunk(h, buf)
		switch {
		case err != nil:
			h.Fatalf("%v after %q and %q", err, &texts[0], &texts[1])
		case kind == agentapi.ShellExit:
			return texts[0].String(), texts[1].String(), int(b[0])
		}
		texts[kind-agentapi.ShellOut].Write(b)
	}
}

func TestAProgramWithPipes(t *testing.T) {
	h := connect(t, &agentapi.Shell{Args: []string{"sh", "-c", `cat; echo "$0" >&2; test -t 0 || exit 7`, "an argument"}})
	if err := h.opened(); err != nil {
		t.Fatal(err)
	}
	// More than pipes and sockets hold, so that all has to flow.
	big := strings.Repeat("0123456789abcdef", 64<<10)
	var sent sync.WaitGroup
	sent.Go(func() {
		for b := []byte(big); len(b) > 0; b = b[agentapi.MaxChunk:] {
			h.send(agentapi.ShellIn, b[:agentapi.MaxChunk])
		}
		h.send(agentapi.ShellIn, nil)
	})
	out, errs, code := h.rest()
	sent.Wait()
	if out != big || errs != "an argument\n" || code != 7 {
		t.Errorf("%d bytes of %d, %q, exit code %d", len(out), len(big), errs, code)
	}
}

func TestAProgramInATerminal(t *testing.T) {
	h := connect(t, &agentapi.Shell{Term: "vt100", Size: &agentapi.Size{Rows: 11, Cols: 222}})
	if err := h.opened(); err != nil {
		t.Fatal(err)
	}
	h.send(agentapi.ShellIn, []byte("stty size; echo $TERM; read line\n"))
	// It has looked at the first size once it says more than the echo of its input.
	var seen bytes.Buffer
	for buf := make([]byte, agentapi.MaxChunk); !strings.Contains(seen.String(), "11 222\r\nvt100"); {
		_, b, err := agentapi.ReadChunk(h, buf)
		if err != nil {
			t.Fatalf("%v after %q", err, &seen)
		}
		seen.Write(b)
	}
	h.send(agentapi.ShellSize, agentapi.Size{Rows: 33, Cols: 44}.Chunk())
	h.send(agentapi.ShellIn, []byte("go\nstty size; tty; exit 5\n"))
	out, _, code := h.rest()
	if !strings.Contains(out, "33 44") || !strings.Contains(out, "/dev/pts/") || code != 5 {
		t.Errorf("%q, exit code %d", out, code)
	}
}

func TestTheEndOfInputEndsAShellInATerminal(t *testing.T) {
	h := connect(t, &agentapi.Shell{Size: &agentapi.Size{Rows: 1, Cols: 1}})
	if err := h.opened(); err != nil {
		t.Fatal(err)
	}
	h.send(agentapi.ShellIn, nil)
	if out, _, code := h.rest(); code != 0 {
		t.Errorf("%q, exit code %d", out, code)
	}
}

func TestAProgramThatASignalEnds(t *testing.T) {
	h := connect(t, &agentapi.Shell{Args: []string{"sh", "-c", "kill -TERM $$"}})
	if err := h.opened(); err != nil {
		t.Fatal(err)
	}
	if _, _, code := h.rest(); code != 128+int(unix.SIGTERM) {
		t.Errorf("exit code %d", code)
	}
}

// What a program leaves behind holds its output open, and nobody up.
func TestAProgramThatLeavesAnotherBehind(t *testing.T) {
	h := connect(t, &agentapi.Shell{Args: []string{"sh", "-c", "sleep 300 & echo $!"}})
	if err := h.opened(); err != nil {
		t.Fatal(err)
	}
	out, _, code := h.rest()
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	var pid int
	for _, c := range strings.TrimSpace(out) {
		pid = 10*pid + int(c-'0')
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Errorf("the program left behind, %q: %v", out, err)
	}
}

// A program that minds no hang-up ends too when its person has gone.
func TestAHostThatGoesEndsTheProgram(t *testing.T) {
	h := connect(t, &agentapi.Shell{Args: []string{"sh", "-c", "trap '' HUP; echo up; while :; do sleep 1; done"}})
	if err := h.opened(); err != nil {
		t.Fatal(err)
	}
	if _, b, err := agentapi.ReadChunk(h, make([]byte, agentapi.MaxChunk)); err != nil || string(b) != "up\n" {
		t.Fatalf("%q, %v", b, err)
	}
	_ = h.Close()
	h.done() // served until the program has ended
}

func TestAStreamThatSaysNothing(t *testing.T) {
	h := connect(t, nil)
	if err := h.opened(); err == nil || err.Code != agentapi.CodeInvalid {
		t.Errorf("%v", err)
	}
}
