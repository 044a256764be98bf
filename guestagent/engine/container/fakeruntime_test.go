//go:build linux

package container

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/berthhq/berth/guestagent/engine/runtime"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

var linkAddress = netip.MustParseAddr("172.17.0.2")

// fakeRuntime is a supervisor with processes that exist only in its table.
type fakeRuntime struct {
	mu       sync.Mutex
	procs    map[string]*proto.State
	inputs   map[string]runtime.Input
	limits   *specs.LinuxResources
	starts   int
	pid      int
	deaf     bool  // to SIGTERM
	quick    bool  // processes end before their start is answered
	mute     bool  // a start is carried out and never answered
	fail     error // of the next start
	watcher  chan proto.Event
	attached []proto.Attach
	// exec is what an exec'd command does: its exit code, output, and whether it never ends by itself.
	exec     func(args []string) (code int, output string, hangs bool, err error)
	execs    map[string]proto.State // what the supervisor would say of them
	released []string
}

func newFakeRuntime() *fakeRuntime {
	return &fakeRuntime{procs: map[string]*proto.State{}, inputs: map[string]runtime.Input{}, pid: 1000}
}

func (f *fakeRuntime) Start(_ context.Context, in runtime.Input) (runtime.State, error) {
	f.mu.Lock()
	if f.fail != nil {
		defer f.mu.Unlock()
		return runtime.State{}, f.fail
	}
	if st := f.procs[in.ID]; st != nil && st.Status != proto.StatusExited {
		defer f.mu.Unlock()
		return runtime.State{}, errdefs.Conflict("container %s is already running", in.ID)
	}
	f.pid++
	f.starts++
	st := &proto.State{ID: in.ID, Pid: f.pid, Status: proto.StatusRunning, StartedAt: time.Now()}
	f.procs[in.ID], f.inputs[in.ID] = st, in
	quick, mute, answer := f.quick, f.mute, runtime.State{Pid: st.Pid, StartedAt: st.StartedAt}
	f.mu.Unlock()
	if quick {
		f.exit(in.ID, 0)
		time.Sleep(20 * time.Millisecond) // the end is told of first
	}
	if mute {
		return runtime.State{}, errdefs.Unavailable("berth-supervisor did not answer start")
	}
	return answer, nil
}

// exit ends a process and tells of it.
func (f *fakeRuntime) exit(id string, code int) {
	f.mu.Lock()
	st := f.procs[id]
	if st == nil || st.Status == proto.StatusExited {
		f.mu.Unlock()
		return
	}
	st.Status, st.ExitCode, st.ExitedAt = proto.StatusExited, code, time.Now()
	f.mu.Unlock()
	f.tell(id)
}

func (f *fakeRuntime) tell(id string) {
	f.mu.Lock()
	st, to := *f.procs[id], f.watcher
	f.mu.Unlock()
	if to != nil {
		to <- proto.Event{Type: proto.EventExit, State: &st}
	}
}

func (f *fakeRuntime) Exec(_ context.Context, id, execID string, _ runtime.Input, in runtime.ExecInput, _ *proto.Attach, conn net.Conn) (runtime.State, error) {
	f.mu.Lock()
	do, to := f.exec, f.watcher
	f.mu.Unlock()
	code, output, hangs, err := do(in.Args)
	if err != nil {
		if conn != nil {
			conn.Close()
		}
		return runtime.State{}, err
	}
	go func() {
		if conn != nil {
			conn.Write([]byte(output))
			defer conn.Close()
		}
		if !hangs {
			to <- proto.Event{Type: proto.EventExit, State: &proto.State{ID: id, ExecID: execID, ExitCode: code, Status: proto.StatusExited}}
		}
	}()
	return runtime.State{Pid: 77}, nil
}

func (f *fakeRuntime) Attach(_ context.Context, _, _ string, a proto.Attach, conn net.Conn) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.attached = append(f.attached, a)
	return conn.Close()
}

func (f *fakeRuntime) Signal(_ context.Context, id, execID string, sig int, _ bool) error {
	f.mu.Lock()
	st, deaf := f.procs[id], f.deaf
	f.mu.Unlock()
	switch {
	case execID != "":
	case st == nil:
		return errdefs.NotFound("no such container: %s", id)
	case sig == 9, sig == 15 && !deaf:
		f.exit(id, 128+sig)
	}
	return nil
}

func (f *fakeRuntime) Update(_ context.Context, _ string, r *specs.LinuxResources) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limits = r
	return nil
}

func (f *fakeRuntime) Release(_ context.Context, id, execID string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if st := f.procs[id]; execID == "" && st != nil && st.Status == proto.StatusExited {
		delete(f.procs, id)
		f.released = append(f.released, id)
	}
	return nil
}

// Watch tells of what there is, and of what happens until ctx ends.
func (f *fakeRuntime) Watch(ctx context.Context, each func(proto.Event)) error {
	ch := make(chan proto.Event, 100)
	f.mu.Lock()
	f.watcher = ch
	snapshot := proto.Event{Type: proto.EventSnapshot}
	for _, st := range f.procs {
		snapshot.Containers = append(snapshot.Containers, *st)
	}
	f.mu.Unlock()
	each(snapshot)
	for {
		select {
		case ev := <-ch:
			each(ev)
		case <-ctx.Done():
			f.mu.Lock()
			f.watcher = nil
			f.mu.Unlock()
			return ctx.Err()
		}
	}
}

func (f *fakeRuntime) Resize(context.Context, string, string, uint16, uint16) error { return nil }
func (f *fakeRuntime) Pause(context.Context, string) error                          { return nil }
func (f *fakeRuntime) Resume(context.Context, string) error                         { return nil }
func (f *fakeRuntime) Pids(context.Context, string) ([]int, error)                  { return nil, nil }
func (f *fakeRuntime) Stats(context.Context, string) ([]byte, error)                { return []byte("{}"), nil }
func (f *fakeRuntime) FlushLogs(context.Context, string) error                      { return nil }

func (f *fakeRuntime) State(_ context.Context, id, execID string) (proto.State, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if st, ok := f.execs[execID]; ok && execID != "" {
		return st, nil
	}
	if st := f.procs[id]; st != nil && execID == "" {
		return *st, nil
	}
	return proto.State{}, errdefs.NotFound("no such exec in %s", id)
}

// set changes the fake under its lock.
func (f *fakeRuntime) set(change func(*fakeRuntime)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fakeRuntime) started() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.starts
}

// known is how many processes the supervisor still remembers.
func (f *fakeRuntime) known() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.procs)
}

func (f *fakeRuntime) input(id string) runtime.Input {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.inputs[id]
}
