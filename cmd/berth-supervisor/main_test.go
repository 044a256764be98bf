//go:build linux && cgo && seccomp

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor"
	"github.com/berthhq/berth/guestagent/engine/supervisor/libct"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/paths"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const inNamespace = "BERTH_TEST_NAMESPACE"

// TestMain runs the tests in a mount namespace of their own, as a child; the same program is libcontainer's init.
func TestMain(m *testing.M) {
	libct.Init()
	if os.Getenv(inNamespace) != "" || os.Geteuid() != 0 {
		os.Exit(m.Run())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// bench is a supervisor at work, with a busybox root to start containers from.
type bench struct {
	t      *testing.T
	layout paths.Layout
	root   string
	conn   *proto.Conn
	events chan proto.Event
}

func newBench(t *testing.T) *bench {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: containers are made")
	}
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Skip("needs busybox-static at /bin/busybox")
	}
	b := &bench{t: t, layout: paths.For(t.TempDir()), events: make(chan proto.Event, 100)}
	b.root = filepath.Join(b.layout.Root, "image")
	for _, dir := range []string{"bin", "etc", "proc", "sys", "dev", "tmp"} {
		must(t, os.MkdirAll(filepath.Join(b.root, dir), 0o755))
	}
	must(t, os.WriteFile(filepath.Join(b.root, "bin/busybox"), busybox, 0o755))
	for _, name := range []string{"sh", "cat", "sleep", "true", "id", "ls", "stty", "echo", "head", "yes", "dd", "kill", "tail"} {
		must(t, os.Symlink("busybox", filepath.Join(b.root, "bin", name)))
	}
	must(t, os.WriteFile(filepath.Join(b.root, "etc/passwd"), []byte("root:x:0:0::/root:/bin/sh\nweb:x:33:44::/srv:/bin/sh\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(b.root, "etc/group"), []byte("web:x:44:\nextra:x:55:web\n"), 0o644))
	b.serve()
	return b
}

func (b *bench) serve() {
	l, err := supervisor.Listen(b.layout)
	must(b.t, err)
	starter, err := libct.New(b.layout.SupervisorState(), b.layout.RootfsDir())
	must(b.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	srv := supervisor.New(b.layout, log.New(testLog{b.t}, "", 0), classic{starter})
	go func() { done <- srv.Serve(ctx, l) }()
	b.conn, err = proto.Dial(b.layout.SupervisorSocket())
	must(b.t, err)
	watch, err := proto.Dial(b.layout.SupervisorSocket())
	must(b.t, err)
	must(b.t, watch.Send(&proto.Request{Op: proto.OpEvents}))
	go func() {
		for {
			var ev proto.Event
			if _, err := watch.Recv(&ev); err != nil {
				return
			}
			b.events <- ev
		}
	}()
	b.t.Cleanup(func() {
		for _, st := range b.call(&proto.Request{Op: proto.OpHello}).Containers {
			b.call(&proto.Request{Op: proto.OpSignal, ID: st.ID, Signal: 9})
		}
		watch.Close()
		cancel()
		if err := <-done; err != nil {
			b.t.Error(err)
		}
	})
}

type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bench) call(req *proto.Request, fds ...int) *proto.Response {
	b.t.Helper()
	must(b.t, b.conn.Send(req, fds...))
	resp := &proto.Response{}
	_, err := b.conn.Recv(resp)
	must(b.t, err)
	return resp
}

func (b *bench) ok(req *proto.Request, fds ...int) *proto.Response {
	b.t.Helper()
	resp := b.call(req, fds...)
	if resp.Error != nil {
		b.t.Fatalf("%s: %s: %s", req.Op, resp.Error.Code, resp.Error.Message)
	}
	return resp
}

// start is a request for a container of busybox.
func (b *bench) start(id string, args ...string) *proto.Request {
	return &proto.Request{Op: proto.OpStart, ID: id, Start: &proto.Start{
		Spec: &specs.Spec{
			Version: "1.2.0", Hostname: id, Root: &specs.Root{Path: "rootfs"},
			Process: &specs.Process{Args: args, Cwd: "/", Env: []string{"PATH=/bin"}},
			Mounts: []specs.Mount{
				{Destination: "/proc", Type: "proc", Source: "proc"},
				{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "mode=755"}},
				{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
			},
			Linux: &specs.Linux{
				CgroupsPath: b.cgroup(id),
				Namespaces:  []specs.LinuxNamespace{{Type: "mount"}, {Type: "pid"}, {Type: "ipc"}, {Type: "uts"}, {Type: "network"}},
			},
		},
		Rootfs:     []proto.Mount{{Type: "bind", Source: b.root, Options: []string{"rbind"}}},
		RootfsPath: b.layout.Rootfs(id),
		Log:        proto.Log{Driver: "json-file", Path: filepath.Join(b.layout.Root, id+".log")},
	}}
}

// attach gives a client of a process, and what it reads until the supervisor closes it.
func (b *bench) attach(id, execID string, a proto.Attach) (*net.UnixConn, func() string) {
	b.t.Helper()
	near, far := pair(b.t)
	b.ok(&proto.Request{Op: proto.OpAttach, ID: id, ExecID: execID, Attach: &a}, int(far.Fd()))
	far.Close()
	return near, reader(b.t, near)
}

func pair(t *testing.T) (*net.UnixConn, *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	f := os.NewFile(uintptr(fds[0]), "near")
	c, err := net.FileConn(f)
	must(t, err)
	f.Close()
	return c.(*net.UnixConn), os.NewFile(uintptr(fds[1]), "far")
}

func reader(t *testing.T, c net.Conn) func() string {
	var buf bytes.Buffer
	done := make(chan error, 1)
	go func() { _, err := io.Copy(&buf, c); done <- err }()
	return func() string {
		t.Helper()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			t.Fatalf("the client's stream does not end; so far %q", buf.String())
		}
		c.Close()
		return buf.String()
	}
}

// exit waits for the exit of a process.
func (b *bench) exit(id, execID string) *proto.State {
	b.t.Helper()
	for end := time.After(20 * time.Second); ; {
		select {
		case ev := <-b.events:
			if ev.Type == proto.EventExit && ev.State.ID == id && ev.State.ExecID == execID {
				return ev.State
			}
		case <-end:
			b.t.Fatalf("no exit of %s %s is announced", id, execID)
		}
	}
}

func TestOutputExitAndLog(t *testing.T) {
	b := newBench(t)
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

// nothingLeft looks for traces of a released container.
func (b *bench) nothingLeft(id string) {
	b.t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	must(b.t, err)
	if strings.Contains(string(mounts), b.layout.Rootfs(id)) {
		b.t.Error("the root is still mounted")
	}
	for _, pattern := range []string{
		"/sys/fs/cgroup/*" + b.cgroup(id),
		filepath.Join(b.layout.SupervisorState(), id+"*"), b.layout.Rootfs(id),
	} {
		if left, _ := filepath.Glob(pattern); len(left) > 0 {
			b.t.Errorf("left behind: %v", left)
		}
	}
}

func TestCommandThatCannotRun(t *testing.T) {
	b := newBench(t)
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

func TestStdinEnds(t *testing.T) {
	b := newBench(t)
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

func TestTerminal(t *testing.T) {
	b := newBench(t)
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

func TestDetachKeys(t *testing.T) {
	b := newBench(t)
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

func TestExec(t *testing.T) {
	b := newBench(t)
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

func TestPauseHoldsAndKillEndsIt(t *testing.T) {
	b := newBench(t)
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
func TestNoDescriptorLeaks(t *testing.T) {
	b := newBench(t)
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

func (b *bench) cgroup(id string) string { return fmt.Sprintf("/berth-test-%d/%s", os.Getpid(), id) }
