//go:build linux

package container

import (
	"context"
	"syscall"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
)

// ContainerKill sends a signal, SIGKILL where none is named. SIGKILL waits for the end; it and the stop signal keep the
// restart policy from starting the container again.
func (s *Service) ContainerKill(ctx context.Context, ref, name string) error {
	e, err := s.find(ref)
	if err != nil {
		return err
	}
	sig := syscall.SIGKILL
	if name != "" {
		if sig, err = parseSignal(name); err != nil {
			return err
		}
	}
	r := e.snapshot()
	if r.State.Status == container.StateRestarting { // as docker: it is not started again, whatever the signal
		release, err := e.acquire(ctx)
		if err != nil {
			return err
		}
		defer release()
		return s.halt(ctx, e, name, nil)
	}
	if !r.State.running() {
		return errdefs.Conflict("cannot kill container: %s: container %s is not running", ref, r.ID)
	}
	stop, _ := parseSignal(stopSignal(&r, ""))
	if sig == syscall.SIGKILL || sig == stop {
		if err := s.change(e, func(r *Record) { r.Stopped = true }); err != nil {
			return err
		}
	}
	if err := s.signal(ctx, &r, sig); err != nil {
		return err
	}
	if sig == syscall.SIGKILL {
		if r.State.Status == container.StatePaused {
			s.Runtime.Resume(ctx, r.ID)
		}
		e.endsWithin(ctx, killGrace)
	}
	return nil
}
