//go:build linux

package container

import (
	"context"

	"github.com/moby/moby/api/types/container"
)

// ContainerRestart stops a container, if it runs, and starts it. An inspect in between waits, as dockerd's does: clients
// that hear of the end ask whether the container comes back.
func (s *Service) ContainerRestart(ctx context.Context, ref, sig string, timeout *int) error {
	e, err := s.find(ref)
	if err != nil {
		return err
	}
	if sig != "" {
		if _, err := parseSignal(sig); err != nil {
			return err
		}
	}
	release, err := e.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	e.setAgain(true)
	defer e.setAgain(false)
	r := e.snapshot()
	if r.Host.AutoRemove {
		// The removal that the end would bring waits for our turn and finds the container running again.
		ctx = context.WithoutCancel(ctx)
	}
	if r.State.running() || r.State.Status == container.StateRestarting {
		if err := s.halt(ctx, e, sig, timeout); err != nil {
			return err
		}
		s.publish(&r, "stop")
	}
	if err := s.change(e, func(r *Record) { r.Stopped, r.Restarts = false, 0 }); err != nil {
		return err
	}
	if err := s.start(ctx, e); err != nil {
		return err
	}
	s.publish(&r, "restart")
	return nil
}

func (e *entry) setAgain(on bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.again = on
	e.wake()
}
