//go:build linux

package sandbox

import (
	"context"
	"sync"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/errdefs"
)

// lostCode is the exit code of a command whose end nobody saw.
const lostCode = 255

// exits hears from the supervisor which commands have ended. It connects with the first command and stays until close.
type exits struct {
	rt     Runtime
	once   sync.Once
	ready  chan struct{} // closed when ends can no longer be missed
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	waiting map[string]*waiter
}

// waiter waits for one end.
type waiter struct {
	ended chan proto.State // holds one
	begun bool
}

func newExits(rt Runtime) *exits {
	ctx, cancel := context.WithCancel(context.Background())
	return &exits{rt: rt, ready: make(chan struct{}), ctx: ctx, cancel: cancel, waiting: map[string]*waiter{}}
}

func (e *exits) close() {
	e.cancel()
	e.wg.Wait()
}

// key names a process: the command itself, or another one that was started in it.
func key(id, execID string) string { return id + "/" + execID }

// expect prepares for the end of a command that is about to be started; forget ends the interest in it.
func (e *exits) expect(ctx context.Context, id string) (ended <-chan proto.State, forget func()) {
	return e.expectProcess(ctx, id, "")
}

func (e *exits) expectProcess(ctx context.Context, id, execID string) (ended <-chan proto.State, forget func()) {
	e.once.Do(func() { e.wg.Go(e.follow) })
	select {
	case <-e.ready:
	case <-ctx.Done(): // the start fails for the same reason
	}
	w := &waiter{ended: make(chan proto.State, 1)}
	e.mu.Lock()
	e.waiting[key(id, execID)] = w
	e.mu.Unlock()
	return w.ended, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.waiting, key(id, execID))
	}
}

// begun notes that a command runs, so that a supervisor that does not know it has lost it.
func (e *exits) begun(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if w := e.waiting[key(id, "")]; w != nil {
		w.begun = true
	}
}

func (e *exits) follow() {
	first := sync.OnceFunc(func() { close(e.ready) })
	_ = e.rt.Watch(e.ctx, func(ev proto.Event) { // its error is that of the context
		switch ev.Type {
		case proto.EventSnapshot:
			first()
			e.catchUp(ev.Containers)
		case proto.EventExit:
			e.tell(*ev.State)
		}
	})
}

func (e *exits) tell(st proto.State) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if w := e.waiting[key(st.ID, st.ExecID)]; w != nil {
		select {
		case w.ended <- st:
		default: // told already
		}
	}
}

// catchUp tells the ends that came about while no connection stood.
func (e *exits) catchUp(known []proto.State) {
	there := map[string]bool{}
	for i := range known {
		there[key(known[i].ID, "")] = true
		if known[i].Status == proto.StatusExited {
			e.tell(known[i])
		}
		for _, x := range known[i].Execs {
			if x.Status == proto.StatusExited {
				e.tell(x)
			}
		}
	}
	e.mu.Lock()
	var missing []string
	for k, w := range e.waiting {
		if w.begun && !there[k] {
			missing = append(missing, k[:len(k)-1])
		}
	}
	e.mu.Unlock()
	for _, id := range missing {
		// It may have been started since the snapshot was made.
		if _, err := e.rt.State(e.ctx, id, ""); errdefs.KindOf(err) == errdefs.KindNotFound {
			e.tell(proto.State{ID: id, Status: proto.StatusExited, ExitCode: lostCode, ExitedAt: time.Now()})
		}
	}
}
