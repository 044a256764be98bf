//go:build linux

package container

import (
	"context"
	"errors"
	"strconv"
	"syscall"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/sys/signal"
)

// Times that a stop gives.
const (
	defaultStop = 10 * time.Second
	// killGrace is how long a process may take to end after SIGKILL; one that waits for a device cannot be hurried.
	killGrace = 10 * time.Second
)

// ContainerStop ends a container: with its stop signal, and with SIGKILL after the timeout in seconds. A nil timeout is
// the container's own; negative waits for ever. Errors: NotModified where it does not run.
func (s *Service) ContainerStop(ctx context.Context, ref, sig string, timeout *int) error {
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
	r := e.snapshot()
	if !r.State.running() && r.State.Status != container.StateRestarting {
		return errdefs.NotModified("container %s is already stopped", r.Name)
	}
	if err := s.halt(ctx, e, sig, timeout); err != nil {
		return err
	}
	s.publish(&r, "stop")
	return nil
}

// halt is the stop itself; the caller has the turn. The container's policy does not start it again.
func (s *Service) halt(ctx context.Context, e *entry, sig string, timeout *int) error {
	ctx = context.WithoutCancel(ctx)
	e.stopBackoff()
	if err := s.change(e, func(r *Record) {
		r.Stopped = true
		if r.State.Status == container.StateRestarting {
			r.State.turn(container.StateExited)
		}
	}); err != nil {
		return err
	}
	return s.end(ctx, e, sig, timeout)
}

// end ends a container that runs; the caller has the turn.
func (s *Service) end(ctx context.Context, e *entry, sig string, timeout *int) error {
	r := e.snapshot()
	if !r.State.running() {
		return nil
	}
	n, err := parseSignal(stopSignal(&r, sig))
	if err != nil {
		n = syscall.SIGTERM
	}
	if err := s.signal(ctx, &r, n); err != nil {
		return err
	}
	if r.State.Status == container.StatePaused {
		s.Runtime.Resume(ctx, r.ID)
	}
	wait := stopTimeout(&r, timeout, s.Defaults.StopTimeout)
	if e.endsWithin(ctx, wait) {
		return nil
	}
	if err := s.signal(ctx, &r, syscall.SIGKILL); err != nil {
		return err
	}
	if !e.endsWithin(ctx, killGrace) {
		return errdefs.System("cannot stop container: %s: tried to kill container, but did not receive an exit event", r.Name)
	}
	return nil
}

func stopSignal(r *Record, asked string) string {
	for _, sig := range []string{asked, r.Config.StopSignal} {
		if sig != "" {
			return sig
		}
	}
	return "SIGTERM"
}

// stopTimeout is how long to wait; negative is for ever.
func stopTimeout(r *Record, asked *int, engine int) time.Duration {
	for _, t := range []*int{asked, r.Config.StopTimeout} {
		if t != nil {
			return time.Duration(*t) * time.Second
		}
	}
	if engine > 0 {
		return time.Duration(engine) * time.Second
	}
	return defaultStop
}

// endsWithin waits for the container's end.
func (e *entry) endsWithin(ctx context.Context, d time.Duration) bool {
	if d >= 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	_, err := e.until(ctx, func() bool { return !e.rec.State.running() && !e.ending })
	return err == nil
}

// signal sends a signal to the container's first process; one that has just ended needs none.
func (s *Service) signal(ctx context.Context, r *Record, sig syscall.Signal) error {
	err := s.Runtime.Signal(ctx, r.ID, "", int(sig), false)
	if k := errdefs.KindOf(err); err != nil && (k == errdefs.KindNotFound || k == errdefs.KindConflict || errors.Is(err, syscall.ESRCH)) {
		return nil
	}
	if err == nil {
		s.publish(r, "kill", "signal", strconv.Itoa(int(sig)))
	}
	return err
}

func parseSignal(s string) (syscall.Signal, error) {
	sig, err := signal.ParseSignal(s)
	if err != nil || sig < 0 || sig > 64 { // the kernel's last
		return 0, errdefs.Invalid("invalid signal: %s", s)
	}
	return sig, nil
}
