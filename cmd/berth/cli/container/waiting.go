package container

import (
	"context"
	"errors"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// How long an engine that went away in the middle of a wait is given to come back.
const (
	engineBackBound = 20 * time.Second
	engineBackPoll  = 200 * time.Millisecond
)

// outcome is how a container ended.
type outcome struct {
	code int
	err  error
}

// waiter is what waiting needs of the API.
type waiter interface {
	ContainerWait(ctx context.Context, container string, o client.ContainerWaitOptions) client.ContainerWaitResult
	ContainerInspect(ctx context.Context, container string, o client.ContainerInspectOptions) (client.ContainerInspectResult, error)
}

// waitExit begins to wait for the container's next end, or its removal. asked is closed when the engine has taken the
// request: only then may the container be started.
func waitExit(ctx context.Context, api waiter, id string, removed bool) (result <-chan outcome, asked <-chan struct{}) {
	cond := container.WaitConditionNextExit
	if removed {
		cond = container.WaitConditionRemoved
	}
	out, taken := make(chan outcome, 1), make(chan struct{})
	go func() {
		w := api.ContainerWait(ctx, id, client.ContainerWaitOptions{Condition: cond}) // returns with the answer's header
		close(taken)
		o := one(ctx, w)
		if ctx.Err() == nil && lost(o.err) {
			o = waitAgain(ctx, api, id)
		}
		out <- o
	}()
	return out, taken
}

func one(ctx context.Context, w client.ContainerWaitResult) outcome {
	select {
	case r := <-w.Result:
		if r.Error != nil {
			return outcome{code: 125, err: errors.New(r.Error.Message)}
		}
		return outcome{code: int(r.StatusCode)}
	case err := <-w.Error:
		return outcome{code: 125, err: err}
	case <-ctx.Done():
		return outcome{code: 125, err: ctx.Err()}
	}
}

// lost says that the answer broke off, as opposed to an answer that is an error.
func lost(err error) bool {
	return err != nil && !errors.Is(err, context.Canceled) && !isAnswer(err)
}

func isAnswer(err error) bool {
	return cerrdefs.IsNotFound(err) || cerrdefs.IsConflict(err) || cerrdefs.IsInternal(err) ||
		cerrdefs.IsInvalidArgument(err) || cerrdefs.IsUnavailable(err) || cerrdefs.IsNotImplemented(err)
}

// waitAgain asks an engine that has come back: containers outlive it, and so does the wait for them.
func waitAgain(ctx context.Context, api waiter, id string) outcome {
	deadline := time.Now().Add(engineBackBound)
	last := outcome{code: 125, err: errors.New("the engine went away")}
	for time.Now().Before(deadline) && ctx.Err() == nil {
		_, err := api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
		switch {
		case err == nil:
			w := api.ContainerWait(ctx, id, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
			if o := one(ctx, w); !lost(o.err) {
				return o
			}
		case isAnswer(err):
			return outcome{code: 125, err: err}
		default:
			last.err = err
		}
		select {
		case <-ctx.Done():
		case <-time.After(engineBackPoll):
		}
	}
	return last
}

// waitNow waits for the end of a container that runs: its first stop, not its next start's.
func waitNow(ctx context.Context, api waiter, id string) (<-chan outcome, <-chan struct{}) {
	return waitExit(ctx, api, id, false)
}
