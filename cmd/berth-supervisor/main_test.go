//go:build linux && cgo && seccomp

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/libct"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/guestagent/engine/supervisor/stage"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const (
	inNamespace = "BERTH_TEST_NAMESPACE"
	asProgram   = "BERTH_TEST_PROGRAM"
)

// TestMain runs the tests in a mount namespace of their own, as a child; the same program is libcontainer's init.
func TestMain(m *testing.M) {
	libct.Init()
	if os.Args[0] == stage.Name {
		stage.Main()
	}
	if os.Getenv(asProgram) != "" {
		if err := run(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv(inNamespace) != "" || os.Geteuid() != 0 {
		os.Exit(m.Run())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	if cmd.Process != nil { // the parents of the cgroups that the tests made
		left, _ := filepath.Glob(fmt.Sprintf("/sys/fs/cgroup/*/berth-test-%d", cmd.Process.Pid))
		for _, dir := range append(left, fmt.Sprintf("/sys/fs/cgroup/berth-test-%d", cmd.Process.Pid)) {
			os.Remove(dir)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func TestOutputExitAndLog(t *testing.T) { each(t, testOutputExitAndLog) }

func testOutputExitAndLog(t *testing.T, b *bench) {
	_, out := b.attach("c1", "", proto.Attach{Stdout: true, Stderr: true})
	st := b.ok(b.start("c1", "sh", "-c", "echo hello; hostname; exit 7")).State
	if st.Pid == 0 || st.Status != proto.StatusRunning {
		t.Errorf("state %+v", st)
	}
	if st := b.exit("c1", ""); st.ExitCode != 7 {
		t.Errorf("exit code %d", st.ExitCode)
	}
	if got := out(); !strings.HasPrefix(got, "hello\n") {
		t.Errorf("the client read %q", got)
	}
	logged, err := os.ReadFile(b.layout.Root + "/c1.log")
	must(t, err)
	if !strings.Contains(string(logged), `{"log":"hello\n","stream":"stdout"`) {
		t.Errorf("the log is %s", logged)
	}
	b.ok(&proto.Request{Op: proto.OpRelease, ID: "c1"})
	b.nothingLeft("c1")
}

func TestCommandThatCannotRun(t *testing.T) { each(t, testCommandThatCannotRun) }

func testCommandThatCannotRun(t *testing.T, b *bench) {
	for name, tc := range map[string]struct {
		arg   string
		errno unix.Errno
		text  string
	}{
		"missing":       {"nosuch", unix.ENOENT, `exec: "nosuch": executable file not found in $PATH`},
		"absolute":      {"/bin/nosuch", unix.ENOENT, `exec: "/bin/nosuch": stat /bin/nosuch: no such file or directory`},
		"no permission": {"/etc/passwd", unix.EACCES, `exec: "/etc/passwd": permission denied`},
		"directory":     {"/etc", unix.EISDIR, `exec: "/etc": is a directory`},
	} {
		t.Run(name, func(t *testing.T) {
			id := "bad-" + strings.ReplaceAll(name, " ", "-")
			e := b.call(b.start(id, tc.arg)).Error
			if e == nil || e.Code != proto.CodeExec || e.Errno != int(tc.errno) || !strings.Contains(e.Message, tc.text) {
				t.Errorf("error %+v", e)
			}
			b.nothingLeft(id)
		})
	}
}

func TestStdinEnds(t *testing.T) { each(t, testStdinEnds) }

func testStdinEnds(t *testing.T, b *bench) {
	c, out := b.attach("c2", "", proto.Attach{Stdin: true, Stdout: true, Mux: true, Preface: []byte("a")})
	req := b.start("c2", "cat")
	req.Start.Streams = proto.Streams{Stdin: true, StdinOnce: true}
	b.ok(req)
	c.Write([]byte("bc"))
	c.CloseWrite()
	if st := b.exit("c2", ""); st.ExitCode != 0 {
		t.Errorf("exit code %d", st.ExitCode)
	}
	got := out()
	if !strings.HasPrefix(got, "\x01\x00\x00\x00") || !strings.Contains(got, "a") || !strings.HasSuffix(got, "bc") {
		t.Errorf("the client read %q", got)
	}
}

func TestTerminal(t *testing.T) { each(t, testTerminal) }

func testTerminal(t *testing.T, b *bench) {
	c, out := b.attach("c3", "", proto.Attach{Stdin: true, Stdout: true, DetachKeys: []byte{16, 17}})
	req := b.start("c3", "sh")
	req.Start.Spec.Process.Terminal = true
	req.Start.Streams = proto.Streams{Terminal: true, Stdin: true, Height: 31, Width: 97}
	b.ok(req)
	c.Write([]byte("stty size; exit 3\n"))
	if st := b.exit("c3", ""); st.ExitCode != 3 || !st.Terminal {
		t.Errorf("state %+v", st)
	}
	if got := out(); !strings.Contains(got, "31 97\r\n") {
		t.Errorf("the terminal showed %q", got)
	}
}

func TestDetachKeys(t *testing.T) { each(t, testDetachKeys) }

func testDetachKeys(t *testing.T, b *bench) {
	req := b.start("c4", "cat")
	req.Start.Spec.Process.Terminal = true
	req.Start.Streams = proto.Streams{Terminal: true, Stdin: true}
	b.ok(req)
	c, out := b.attach("c4", "", proto.Attach{Stdin: true, Stdout: true, DetachKeys: []byte{16, 17}})
	c.Write([]byte("x\x10\x11y"))
	if got := out(); strings.Contains(got, "y") {
		t.Errorf("read %q", got)
	}
	for end := time.After(10 * time.Second); ; {
		select {
		case ev := <-b.events:
			if ev.Type == proto.EventDetach && ev.State.ID == "c4" {
				return
			}
		case <-end:
			t.Fatal("the detach is not announced")
		}
	}
}

func TestExec(t *testing.T) { each(t, testExec) }

func testExec(t *testing.T, b *bench) {
	b.ok(b.start("c5", "sleep", "100"))
	near, far := pair(t)
	out := reader(t, near)
	st := b.ok(&proto.Request{Op: proto.OpExec, ID: "c5", ExecID: "e1", Exec: &proto.Exec{
		Process: &specs.Process{Args: []string{"sh", "-c", "id; echo $HOME; exit 5"}, Cwd: "/", Env: []string{"PATH=/bin"}},
		User:    "web",
		Attach:  &proto.Attach{Stdout: true, Stderr: true},
	}}, int(far.Fd())).State
	far.Close()
	if st.ExecID != "e1" || st.Pid == 0 {
		t.Errorf("state %+v", st)
	}
	if st := b.exit("c5", "e1"); st.ExitCode != 5 {
		t.Errorf("exit code %d", st.ExitCode)
	}
	if got, want := out(), "uid=33(web) gid=44(web) groups=44(web),55(extra)\n/srv\n"; got != want {
		t.Errorf("read %q", got)
	}
	e := b.call(&proto.Request{Op: proto.OpExec, ID: "c5", ExecID: "e2", Exec: &proto.Exec{
		Process: &specs.Process{Args: []string{"nosuch"}, Cwd: "/", Env: []string{"PATH=/bin"}}}}).Error
	if e == nil || e.Code != proto.CodeExec || e.Errno != int(unix.ENOENT) {
		t.Errorf("error %+v", e)
	}
	b.ok(&proto.Request{Op: proto.OpSignal, ID: "c5", Signal: 9})
	if st := b.exit("c5", ""); st.ExitCode != 137 {
		t.Errorf("exit code %d", st.ExitCode)
	}
}

func TestPauseHoldsAndKillEndsIt(t *testing.T) { each(t, testPauseHoldsAndKillEndsIt) }

func testPauseHoldsAndKillEndsIt(t *testing.T, b *bench) {
	b.ok(b.start("c6", "sleep", "100"))
	b.ok(&proto.Request{Op: proto.OpPause, ID: "c6"})
	if st := b.ok(&proto.Request{Op: proto.OpHello}).Containers[0]; st.Status != proto.StatusPaused {
		t.Errorf("status %s", st.Status)
	}
	if pids := b.ok(&proto.Request{Op: proto.OpPids, ID: "c6"}).Pids; len(pids) != 1 {
		t.Errorf("pids %v", pids)
	}
	if stats := b.ok(&proto.Request{Op: proto.OpStats, ID: "c6"}).Stats; !bytes.Contains(stats, []byte("memory_stats")) {
		t.Errorf("stats %s", stats)
	}
	b.ok(&proto.Request{Op: proto.OpSignal, ID: "c6", Signal: 9})
	if st := b.exit("c6", ""); st.ExitCode != 137 {
		t.Errorf("exit code %d", st.ExitCode)
	}
}

// A container sees no descriptor but its three (CVE-2024-21626).
func TestNoDescriptorLeaks(t *testing.T) { each(t, testNoDescriptorLeaks) }

func testNoDescriptorLeaks(t *testing.T, b *bench) {
	leak, err := os.Open("/")
	must(t, err)
	defer leak.Close()
	_, out := b.attach("c7", "", proto.Attach{Stdout: true})
	b.ok(b.start("c7", "sh", "-c", "ls /proc/self/fd"))
	b.exit("c7", "")
	if got := out(); got != "0\n1\n2\n3\n" { // 3 is ls's own
		t.Errorf("descriptors %q", got)
	}
	for n := 3; n < 20; n++ {
		req := b.start(fmt.Sprintf("cwd%d", n), "true")
		req.Start.Spec.Process.Cwd = fmt.Sprintf("/proc/self/fd/%d", n)
		if b.call(req).Error == nil {
			t.Errorf("working directory %s was taken", req.Start.Spec.Process.Cwd)
		}
	}
}

func TestSignalsAndLimits(t *testing.T) { each(t, signalsAndLimits) }

func signalsAndLimits(t *testing.T, b *bench) {
	b.ok(b.start("c8", "sh", "-c", "trap 'exit 4' USR1; while :; do sleep 0.01; done"))
	limit := int64(64 << 20)
	b.ok(&proto.Request{Op: proto.OpUpdate, ID: "c8", Resources: &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit}}})
	if stats := b.ok(&proto.Request{Op: proto.OpStats, ID: "c8"}).Stats; !bytes.Contains(stats, []byte("67108864")) {
		t.Errorf("the limit is not in %s", stats)
	}
	if e := b.call(b.start("c8", "true")).Error; e == nil || e.Code != proto.CodeConflict {
		t.Errorf("a second start: %+v", e)
	}
	if e := b.call(&proto.Request{Op: proto.OpRelease, ID: "c8"}).Error; e == nil || e.Code != proto.CodeConflict {
		t.Errorf("release of a running one: %+v", e)
	}
	if e := b.call(&proto.Request{Op: proto.OpResize, ID: "c8"}).Error; e == nil || e.Code != proto.CodeConflict {
		t.Errorf("resize without a terminal: %+v", e)
	}
	time.Sleep(50 * time.Millisecond) // for the trap
	b.ok(&proto.Request{Op: proto.OpSignal, ID: "c8", Signal: int(unix.SIGUSR1)})
	if st := b.exit("c8", ""); st.ExitCode != 4 {
		t.Errorf("exit code %d", st.ExitCode)
	}
	b.ok(b.start("c8", "true")) // an exited one gives way
	b.exit("c8", "")
}

func TestOutOfMemoryIsTold(t *testing.T) { each(t, outOfMemory) }

func outOfMemory(t *testing.T, b *bench) {
	req := b.start("c9", "tail", "-c", "200m", "/dev/zero")
	limit := int64(48 << 20)
	req.Start.Spec.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &limit, Swap: &limit}
	b.ok(req)
	if st := b.exit("c9", ""); !st.OOMKilled || st.ExitCode != 137 {
		t.Errorf("state %+v", st)
	}
}

func TestUnknownThings(t *testing.T) { each(t, unknownThings) }

func unknownThings(t *testing.T, b *bench) {
	for _, op := range []proto.Op{proto.OpSignal, proto.OpExec, proto.OpPause, proto.OpPids, proto.OpRelease, proto.OpLogs} {
		e := b.call(&proto.Request{Op: op, ID: "nobody", ExecID: "x", Exec: &proto.Exec{Process: &specs.Process{}}}).Error
		if e == nil || e.Code != proto.CodeNotFound {
			t.Errorf("%s: %+v", op, e)
		}
	}
	if e := b.call(&proto.Request{Op: proto.OpStart, ID: "x"}).Error; e == nil || e.Code != proto.CodeInvalid {
		t.Errorf("an empty start: %+v", e)
	}
	b.ok(b.start("c10", "sleep", "9"))
	if e := b.call(&proto.Request{Op: "dance", ID: "c10"}).Error; e == nil || e.Code != proto.CodeUnsupported {
		t.Errorf("an unknown call: %+v", e)
	}
}

func BenchmarkRun(b *testing.B) {
	for _, way := range ways {
		b.Run(way, func(b *testing.B) {
			s := newBench(b)
			s.way = way
			s.serve()
			for i := 0; b.Loop(); i++ {
				id := fmt.Sprintf("b%d", i)
				s.ok(s.start(id, "true"))
				s.exit(id, "")
			}
		})
	}
}
