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
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor"
	"github.com/berthhq/berth/guestagent/engine/supervisor/libct"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/paths"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// bench is a supervisor at work, with a busybox root to start containers from.
type bench struct {
	t      testing.TB
	way    string
	layout paths.Layout
	root   string
	conn   *proto.Conn
	events chan proto.Event
}

func newBench(t testing.TB) *bench {
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
	return b
}

// ways are the starters, each of which must behave as the other.
var ways = []string{"libcontainer", "staged"}

// each runs a test with every starter.
func each(t *testing.T, test func(t *testing.T, b *bench)) {
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			b := newBench(t)
			b.way = way
			b.serve()
			test(t, b)
		})
	}
}

// starters are those of one way; with staged the other must never be asked.
func (b *bench) starters() supervisor.Starter {
	if b.way == "staged" {
		quick, err := newFast(b.layout, "/proc/self/exe")
		must(b.t, err)
		b.t.Cleanup(quick.Close)
		return quick
	}
	starter, err := libct.New(b.layout.SupervisorState(), b.layout.RootfsDir())
	must(b.t, err)
	return classic{starter}
}

// serve runs a supervisor in this process.
func (b *bench) serve() {
	l, err := supervisor.Listen(b.layout)
	must(b.t, err)
	starter := b.starters()
	must(b.t, os.MkdirAll(b.layout.SupervisorState(), 0o700))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	srv := supervisor.New(b.layout, log.New(testLog{b.t}, "", 0), nil, starter)
	go func() { done <- srv.Serve(ctx, l) }()
	b.connect()
	b.t.Cleanup(func() {
		b.killAll()
		cancel()
		if err := <-done; err != nil {
			b.t.Error(err)
		}
	})
}

// connect makes the connections for calls and events.
func (b *bench) connect() {
	var err error
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
	b.t.Cleanup(func() { watch.Close() })
}

// killAll ends every container that runs.
func (b *bench) killAll() {
	for _, st := range b.call(&proto.Request{Op: proto.OpHello}).Containers {
		if st.Status != proto.StatusExited {
			b.call(&proto.Request{Op: proto.OpSignal, ID: st.ID, Signal: 9})
			b.call(&proto.Request{Op: proto.OpRelease, ID: st.ID})
		}
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
			if e := b.call(&proto.Request{Op: proto.OpRelease, ID: st.ID}).Error; e == nil || e.Code == proto.CodeNotFound {
				break
			}
		}
	}
}

type testLog struct{ t testing.TB }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

func must(t testing.TB, err error) {
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
				Resources:   &specs.LinuxResources{Devices: deviceRules()},
				Namespaces:  []specs.LinuxNamespace{{Type: "mount"}, {Type: "pid"}, {Type: "ipc"}, {Type: "uts"}, {Type: "network", Path: "/proc/self/ns/net"}},
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

func pair(t testing.TB) (*net.UnixConn, *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	f := os.NewFile(uintptr(fds[0]), "near")
	c, err := net.FileConn(f)
	must(t, err)
	f.Close()
	return c.(*net.UnixConn), os.NewFile(uintptr(fds[1]), "far")
}

func reader(t testing.TB, c net.Conn) func() string {
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

func (b *bench) cgroup(id string) string { return fmt.Sprintf("/berth-test-%d/%s", os.Getpid(), id) }

// deviceRules are docker's.
func deviceRules() []specs.LinuxDeviceCgroup {
	rules := []specs.LinuxDeviceCgroup{{Access: "rwm"}}
	for _, d := range [][2]int64{{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 1}, {5, 2}, {136, -1}} {
		rule := specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: &d[0], Minor: &d[1], Access: "rwm"}
		rules = append(rules, rule)
	}
	return rules
}
