//go:build linux && cgo && seccomp

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// newProcess makes a bench whose supervisor is a program of its own, with its keeper.
func newProcess(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.launch()
	t.Cleanup(func() { b.killAll() })
	return b
}

// launch starts the program, waits until it serves, and sees that it ends with the test.
func (b *bench) launch() *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", "--root", b.layout.Root)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	log, err := os.OpenFile(b.layout.Root+"/supervisor.log", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	must(b.t, err)
	defer log.Close()
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	must(b.t, cmd.Start())
	b.t.Cleanup(func() {
		cmd.Process.Signal(unix.SIGTERM)
		cmd.Wait()
		if said, err := os.ReadFile(log.Name()); err == nil && b.t.Failed() {
			b.t.Logf("the supervisor said:\n%s", said)
		}
	})
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		if c, err := proto.Dial(b.layout.SupervisorSocket()); err == nil {
			c.Close()
			break
		}
		if time.Now().After(end) {
			b.t.Fatal("the supervisor does not listen")
		}
	}
	b.connect()
	return cmd
}

// crash kills the supervisor, not its keeper, and connects to the next.
func (b *bench) crash() {
	b.t.Helper()
	pid := b.call(&proto.Request{Op: proto.OpHello}).Pid
	kill(b.t, pid)
	b.connect()
}

// kill ends a process, which may be no child, and waits until it has ended.
func kill(t testing.TB, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	must(t, err)
	defer unix.Close(fd)
	must(t, unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0))
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(p, 10_000); n != 1 {
		t.Fatalf("process %d does not end: %v", pid, err)
	}
}

// counter is a container that counts until it is told to end.
func (b *bench) counter(id string) {
	req := b.start(id, "sh", "-c", `trap 'exit 9' TERM; i=0; while :; do i=$((i+1)); echo line $i; sleep 0.005; done`)
	b.ok(req)
}

func TestSupervisorIsKilled(t *testing.T) {
	b := newProcess(t)
	client, out := b.attach("k1", "", proto.Attach{Stdout: true})
	b.counter("k1")
	for range 5 {
		time.Sleep(30 * time.Millisecond)
		// What was read and not yet written when the supervisor dies is lost: a window of microseconds, which the race
		// detector makes long. It is a known gap; here all that was said is logged first.
		b.ok(&proto.Request{Op: proto.OpLogs, ID: "k1"})
		b.crash()
		st := b.ok(&proto.Request{Op: proto.OpHello}).Containers
		if len(st) != 1 || st[0].ID != "k1" || st[0].Status != proto.StatusRunning {
			t.Fatalf("containers after a crash: %+v", st)
		}
	}
	time.Sleep(50 * time.Millisecond)
	b.ok(&proto.Request{Op: proto.OpSignal, ID: "k1", Signal: int(unix.SIGTERM)})
	if st := b.exit("k1", ""); st.ExitCode != 9 {
		t.Errorf("exit code %d", st.ExitCode)
	}
	seen := strings.Count(out(), "line ")
	client.Close()
	if seen < 30 {
		t.Errorf("the client has seen %d lines", seen)
	}
	b.noGap("k1")
	b.ok(&proto.Request{Op: proto.OpRelease, ID: "k1"})
	b.nothingLeft("k1")
}

// noGap checks that a counter's log has every line, once.
func (b *bench) noGap(id string) {
	b.t.Helper()
	log, err := os.ReadFile(b.layout.Root + "/" + id + ".log")
	must(b.t, err)
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	for i, line := range lines {
		if !strings.Contains(line, fmt.Sprintf(`"log":"line %d\n"`, i+1)) {
			b.t.Fatalf("line %d of %d of the log is %s", i+1, len(lines), line)
		}
	}
}

// What exits while no supervisor lives is learnt all the same.
func TestExitBetweenSupervisors(t *testing.T) {
	b := newProcess(t)
	b.ok(b.start("k2", "sh", "-c", "sleep 0.1; exit 21"))
	pid := b.call(&proto.Request{Op: proto.OpHello}).Pid
	must(t, unix.Kill(pid, unix.SIGSTOP))
	time.Sleep(200 * time.Millisecond)
	must(t, unix.Kill(pid, unix.SIGKILL))
	b.connect()
	if code := b.ends("k2"); code != 21 {
		t.Errorf("exit code %d", code)
	}
}

// ends waits until a container is known as exited, by event or by state.
func (b *bench) ends(id string) int {
	b.t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		for _, st := range b.ok(&proto.Request{Op: proto.OpHello}).Containers {
			if st.ID == id && st.Status == proto.StatusExited {
				return st.ExitCode
			}
		}
	}
	b.t.Fatalf("container %s never ends", id)
	return 0
}

// With the keeper dead too the streams are lost, but not the containers: they are listed, signalled, and their exit
// codes are learnt from the kernel.
func TestKeeperIsKilledToo(t *testing.T) {
	b := newBench(t)
	cmd := b.launch()
	b.ok(b.start("k3", "sh", "-c", "trap 'exit 13' TERM; while :; do sleep 0.01; done"))
	pid := b.call(&proto.Request{Op: proto.OpHello}).Pid
	cmd.Process.Kill()
	cmd.Wait()
	kill(t, pid)
	b.launch()
	t.Cleanup(func() { b.killAll() })
	st := b.ok(&proto.Request{Op: proto.OpHello}).Containers
	if len(st) != 1 || st[0].Status != proto.StatusRunning {
		t.Fatalf("containers: %+v", st)
	}
	if pids := b.ok(&proto.Request{Op: proto.OpPids, ID: "k3"}).Pids; len(pids) == 0 {
		t.Error("it has no processes")
	}
	b.ok(&proto.Request{Op: proto.OpSignal, ID: "k3", Signal: int(unix.SIGTERM)})
	if code := b.ends("k3"); code != 13 {
		t.Errorf("exit code %d", code)
	}
}

func TestExecAndInputOutliveTheSupervisor(t *testing.T) {
	b := newProcess(t)
	b.ok(b.start("k4", "sleep", "100"))
	near, far := pair(t)
	out := reader(t, near)
	b.ok(&proto.Request{Op: proto.OpExec, ID: "k4", ExecID: "e", Exec: &proto.Exec{
		Process: &specs.Process{Args: []string{"cat"}, Cwd: "/", Env: []string{"PATH=/bin"}},
		Streams: proto.Streams{Stdin: true, StdinOnce: true},
		Attach:  &proto.Attach{Stdin: true, Stdout: true},
	}}, int(far.Fd()))
	far.Close()
	near.Write([]byte("before "))
	time.Sleep(50 * time.Millisecond)
	b.crash()
	b.ok(&proto.Request{Op: proto.OpHello})
	near.Write([]byte("after"))
	near.CloseWrite()
	if got := out(); got != "before after" {
		t.Errorf("read %q", got)
	}
	b.ok(&proto.Request{Op: proto.OpExec, ID: "k4", ExecID: "e2", Exec: &proto.Exec{
		Process: &specs.Process{Args: []string{"true"}, Cwd: "/", Env: []string{"PATH=/bin"}}}})
}

func TestPausedContainerOutlivesTheSupervisor(t *testing.T) {
	b := newProcess(t)
	b.ok(b.start("k5", "sleep", "100"))
	b.ok(&proto.Request{Op: proto.OpPause, ID: "k5"})
	b.crash()
	if st := b.ok(&proto.Request{Op: proto.OpHello}).Containers; len(st) != 1 || st[0].Status != proto.StatusPaused {
		t.Errorf("containers %+v", st)
	}
	b.ok(&proto.Request{Op: proto.OpResume, ID: "k5"})
}
