package container

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// awayBound is how long an engine that went away under a command may take to come back: longer than a service manager
// takes to start it again.
const awayBound = 30 * time.Second

// What the API says of the start of a container that was never started, and what it never says: of a container that runs
// already no start is waited for.
const (
	neverStarted = "0001-01-01T00:00:00Z"
	notStarted   = "-"
)

// ending is how a container ended, or why that is not known.
type ending struct {
	code int
	err  error
}

// result is the ending as the command's own.
func (e ending) result() error {
	if e.err == nil && e.code != 0 {
		return &session.ExitError{Code: e.code}
	}
	return e.err
}

// watch waits for a container's end, over restarts of the engine: the container goes on without it.
type watch struct {
	cl       *client.Client
	id       string
	was      string // when it was started before the run that is watched
	removed  bool   // it is removed when it ends, and has ended when that is done
	patience time.Duration

	broke atomic.Bool
	back  chan struct{} // an engine answers again and the container runs
	done  chan ending
}

// newWatch waits from now on for the condition; it is followed until ctx ends.
func newWatch(ctx context.Context, cl *client.Client, id, was string, cond container.WaitCondition) *watch {
	w := &watch{cl: cl, id: id, was: was, removed: cond == container.WaitConditionRemoved, patience: awayBound, back: make(chan struct{}, 1), done: make(chan ending, 1)}
	first := cl.ContainerWait(ctx, id, client.ContainerWaitOptions{Condition: cond})
	go func() { w.done <- w.follow(ctx, first) }()
	return w
}

func (w *watch) follow(ctx context.Context, wait client.ContainerWaitResult) ending {
	for {
		end := awaited(wait)
		if !broken(end.err) || ctx.Err() != nil {
			return end
		}
		w.broke.Store(true)
		ct, err := w.reached(ctx)
		switch {
		case cerrdefs.IsNotFound(err):
			return w.past(ctx)
		case err != nil:
			return ending{err: err}
		case !ct.State.Running && w.removed:
			awaited(w.cl.ContainerWait(ctx, w.id, client.ContainerWaitOptions{Condition: container.WaitConditionRemoved}))
			return ending{code: ct.State.ExitCode}
		case !ct.State.Running || ct.State.Restarting:
			return ending{code: ct.State.ExitCode}
		}
		select {
		case w.back <- struct{}{}:
		default:
		}
		cond := container.WaitConditionNotRunning // an end between the question and this counts
		if w.removed {
			cond = container.WaitConditionRemoved
		}
		wait = w.cl.ContainerWait(ctx, w.id, client.ContainerWaitOptions{Condition: cond})
		if w.removed {
			wait = w.orGone(wait)
		}
	}
}

// orGone is a wait for a removal that may have been done already: what is known of it is among the events then.
func (w *watch) orGone(wait client.ContainerWaitResult) client.ContainerWaitResult {
	select {
	case err := <-wait.Error:
		if cerrdefs.IsNotFound(err) {
			err = io.EOF // asked for anew, and found gone
		}
		again := make(chan error, 1)
		again <- err
		wait.Error = again
	default:
	}
	return wait
}

func awaited(wait client.ContainerWaitResult) ending {
	select {
	case r := <-wait.Result:
		return ending{code: int(r.StatusCode)}
	case err := <-wait.Error:
		return ending{err: err}
	}
}

// reached asks an engine that comes back for the container, once the run that is watched has begun.
func (w *watch) reached(ctx context.Context) (container.InspectResponse, error) {
	for {
		ct, err := w.inspect(ctx)
		if err != nil || ct.State == nil || ct.State.Running || ct.State.StartedAt != w.was {
			return ct, err
		}
		select { // start is on its way, or ends the watch
		case <-ctx.Done():
			return ct, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (w *watch) inspect(ctx context.Context) (container.InspectResponse, error) {
	return overRestart(ctx, w.patience, "container "+short(w.id), func(ctx context.Context) (container.InspectResponse, error) {
		r, err := w.cl.ContainerInspect(ctx, w.id, client.ContainerInspectOptions{})
		return r.Container, err
	})
}

// start begins what is watched. An engine that dies at it may have done it or not.
func (w *watch) start(ctx context.Context, begin func() error) error {
	err := begin()
	if !broken(err) {
		return err
	}
	ct, err := w.inspect(ctx)
	switch {
	case cerrdefs.IsNotFound(err):
		return nil // it has been and is gone: the watch tells how it ended
	case err != nil:
		return err
	case ct.State.Running || ct.State.StartedAt != w.was:
		return nil
	}
	return begin()
}

// past finds the end of a container that is no more among the engine's last events.
func (w *watch) past(ctx context.Context) ending {
	ctx, cancel := context.WithTimeout(ctx, w.patience)
	defer cancel()
	r := w.cl.Events(ctx, client.EventsListOptions{
		Since: "1", Until: strconv.FormatInt(time.Now().Unix()+1, 10), Filters: client.Filters{}.Add("container", w.id).Add("event", "die"),
	})
	end := ending{err: failed125(errdefs.System("container %s ended while the engine was away, and nobody knows its exit code", short(w.id)))}
	for {
		select {
		case m := <-r.Messages:
			if code, err := strconv.Atoi(m.Actor.Attributes["exitCode"]); err == nil {
				end = ending{code: code}
			}
		case <-r.Err:
			return end
		}
	}
}

// overRestart asks until an engine answers, at most for the time of patience; its answer may be a refusal.
func overRestart[T any](ctx context.Context, patience time.Duration, what string, ask func(context.Context) (T, error)) (T, error) {
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last error
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, 500*time.Millisecond) {
		v, err := ask(bounded)
		if bounded.Err() == nil && !broken(err) {
			return v, err
		}
		if bounded.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-time.After(pause):
		case <-bounded.Done():
			if ctx.Err() != nil {
				return v, ctx.Err()
			}
			e := errdefs.Unavailable("the engine went away and did not come back within %s; %s goes on without it: %w", patience, what, last)
			return v, failed125(e.WithHint("See 'berth ps -a' for it when the engine runs again."))
		}
	}
}

// broken says that an error is no answer of an engine but its absence.
func broken(err error) bool {
	if err == nil {
		return false
	}
	for _, cut := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNREFUSED} {
		if errors.Is(err, cut) {
			return true
		}
	}
	return client.IsErrConnectionFailed(err) || errdefs.KindOf(err) == errdefs.KindUnavailable
}

func short(id string) string { return id[:min(12, len(id))] }
