//go:build linux

package container

import (
	"context"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
)

// ContainerWait gives a function that blocks until the condition holds. What happens between the two calls counts.
func (s *Service) ContainerWait(_ context.Context, ref string, cond container.WaitCondition) (func(context.Context) (container.WaitResponse, error), error) {
	e, err := s.find(ref)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	before := e.exits
	e.mu.Unlock()
	var holds func() bool // with e.mu held
	switch cond {
	case "", container.WaitConditionNotRunning:
		holds = func() bool {
			return !e.rec.State.running() && !e.ending && e.rec.State.Status != container.StateRestarting && !e.starting
		}
	case container.WaitConditionNextExit:
		holds = func() bool { return e.exits > before }
	case container.WaitConditionRemoved:
		holds = func() bool { return false }
	default:
		return nil, errdefs.Invalid("invalid condition: %q", cond)
	}
	return func(ctx context.Context) (container.WaitResponse, error) {
		st, err := e.until(ctx, func() bool { return e.gone || holds() })
		if err != nil {
			return container.WaitResponse{}, err
		}
		out := container.WaitResponse{StatusCode: int64(st.ExitCode)}
		// What kept a container from starting is told to those who find it so, as dockerd does; one who waits for the
		// end of a start hears it from the start.
		if st.Error != "" && (cond == "" || cond == container.WaitConditionNotRunning) {
			out.Error = &container.WaitExitError{Message: st.Error}
		}
		return out, nil
	}, nil
}

// until blocks until done, which is asked with e.mu held, and gives the state it saw.
func (e *entry) until(ctx context.Context, done func() bool) (State, error) {
	for {
		e.mu.Lock()
		ok, st, changed := done(), e.rec.State, e.changed
		e.mu.Unlock()
		if ok {
			return st, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return st, ctx.Err()
		}
	}
}
