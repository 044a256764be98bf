//go:build linux

package runtime

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
)

// fake is a supervisor whose answers a test gives.
type fake struct {
	l     *net.UnixListener
	conns atomic.Int32
}

type answer func(req proto.Request, files []*os.File, c *proto.Conn) *proto.Response

func serve(t *testing.T, layout paths.Layout, a answer) *fake {
	t.Helper()
	if err := os.MkdirAll(layout.Run, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: layout.SupervisorSocket(), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{l: l}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.AcceptUnix()
			if err != nil {
				return
			}
			f.conns.Add(1)
			go func() {
				defer c.Close()
				pc := proto.NewConn(c)
				for {
					var req proto.Request
					files, err := pc.Recv(&req)
					if err != nil {
						return
					}
					resp := a(req, files, pc)
					if resp == nil || pc.Send(resp) != nil {
						return
					}
				}
			}()
		}
	}()
	return f
}

func client(t *testing.T) (*Client, paths.Layout) {
	layout := paths.For(t.TempDir())
	return NewClient(layout, filepath.Join(layout.Root, "no-programs")), layout
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestCallsShareConnections(t *testing.T) {
	c, layout := client(t)
	f := serve(t, layout, func(proto.Request, []*os.File, *proto.Conn) *proto.Response {
		return &proto.Response{Pids: []int{7}}
	})
	for range 5 {
		pids, err := c.Pids(within(t), "x")
		if err != nil || len(pids) != 1 || pids[0] != 7 {
			t.Fatalf("pids %v, error %v", pids, err)
		}
	}
	if n := f.conns.Load(); n != 1 {
		t.Errorf("%d connections for five calls in a row", n)
	}
}

func TestErrorsKeepTheirKind(t *testing.T) {
	for code, kind := range map[string]errdefs.Kind{
		proto.CodeNotFound: errdefs.KindNotFound, proto.CodeConflict: errdefs.KindConflict, proto.CodeInvalid: errdefs.KindInvalid,
		proto.CodeUnsupported: errdefs.KindNotImplemented, proto.CodeExec: errdefs.KindInvalid, proto.CodeInternal: errdefs.KindUnknown,
	} {
		err := translate(&proto.Error{Code: code, Message: "m", Errno: int(syscall.ENOENT)})
		if errdefs.KindOf(err) != kind || err.Error() != "m" {
			t.Errorf("%s became %v", code, err)
		}
		if errors.Is(err, syscall.ENOENT) != (code == proto.CodeExec) {
			t.Errorf("%s: errno %v", code, err)
		}
	}
}

func TestSocketIsHandedOn(t *testing.T) {
	c, layout := client(t)
	serve(t, layout, func(req proto.Request, files []*os.File, _ *proto.Conn) *proto.Response {
		if req.Op != proto.OpAttach || len(files) != 1 {
			return &proto.Response{Error: &proto.Error{Code: proto.CodeInvalid, Message: "no descriptor"}}
		}
		files[0].WriteString("hello " + string(req.Attach.Preface))
		files[0].Close()
		return &proto.Response{}
	})
	pair := func() (net.Conn, net.Conn) {
		l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		near, err := net.Dial("unix", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		far, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return near, far
	}
	for name, ends := range map[string]func() (net.Conn, net.Conn){"unix socket": pair, "in-process pipe": net.Pipe} {
		t.Run(name, func(t *testing.T) {
			near, far := ends()
			defer near.Close()
			if err := c.Attach(within(t), "x", "", proto.Attach{Stdout: true, Preface: []byte("you")}, far); err != nil {
				t.Fatal(err)
			}
			near.SetDeadline(time.Now().Add(10 * time.Second))
			got, err := io.ReadAll(near)
			if err != nil || string(got) != "hello you" {
				t.Errorf("read %q, error %v", got, err)
			}
		})
	}
}

func TestStaleConnectionIsReplaced(t *testing.T) {
	c, layout := client(t)
	var calls atomic.Int32
	f := serve(t, layout, func(proto.Request, []*os.File, *proto.Conn) *proto.Response {
		if calls.Add(1) == 2 {
			return nil // hangs up, as a supervisor does that dies
		}
		return &proto.Response{}
	})
	if err := c.Pause(within(t), "x"); err != nil {
		t.Fatal(err)
	}
	if err := c.Resume(within(t), "x"); err != nil {
		t.Fatalf("after a reconnection: %v", err)
	}
	if n := f.conns.Load(); n != 2 {
		t.Errorf("%d connections", n)
	}
}

func TestStartIsNeverRepeated(t *testing.T) {
	c, layout := client(t)
	var starts atomic.Int32
	serve(t, layout, func(req proto.Request, _ []*os.File, _ *proto.Conn) *proto.Response {
		if req.Op == proto.OpStart {
			starts.Add(1)
			return nil
		}
		return &proto.Response{}
	})
	if err := c.Pause(within(t), "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Start(within(t), input()); errdefs.KindOf(err) != errdefs.KindUnavailable {
		t.Errorf("error %v", err)
	}
	if n := starts.Load(); n != 1 {
		t.Errorf("started %d times", n)
	}
}

func TestWatchBeginsAgain(t *testing.T) {
	c, layout := client(t)
	serve(t, layout, func(req proto.Request, _ []*os.File, pc *proto.Conn) *proto.Response {
		pc.Send(proto.Event{Type: proto.EventSnapshot, Containers: []proto.State{{ID: "x"}}})
		pc.Send(proto.Event{Type: proto.EventExit, State: &proto.State{ID: "x", ExitCode: 3}})
		return nil
	})
	ctx, cancel := context.WithCancel(within(t))
	var seen []proto.EventType
	err := c.Watch(ctx, func(ev proto.Event) {
		if seen = append(seen, ev.Type); len(seen) == 4 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	want := []proto.EventType{proto.EventSnapshot, proto.EventExit, proto.EventSnapshot, proto.EventExit}
	for i, w := range want {
		if seen[i] != w {
			t.Errorf("event %d is %s", i, seen[i])
		}
	}
}

func TestMissingSupervisorIsNamed(t *testing.T) {
	c, layout := client(t)
	if err := os.MkdirAll(layout.Run, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := c.Pids(within(t), "x")
	if err == nil || errdefs.HintOf(err) == "" {
		t.Errorf("error %v, hint %q", err, errdefs.HintOf(err))
	}
}

func TestCancelledCallReturns(t *testing.T) {
	c, layout := client(t)
	block := make(chan struct{})
	t.Cleanup(func() { close(block) })
	serve(t, layout, func(proto.Request, []*os.File, *proto.Conn) *proto.Response { <-block; return nil })
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if err := c.Pause(ctx, "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}
