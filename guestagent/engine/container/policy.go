//go:build linux

package container

import (
	"context"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/moby/moby/api/types/container"
)

// Back-off of restarts, docker's: it doubles from the first to the longest, and begins anew once a container has run
// for a while.
const (
	firstBackoff   = 100 * time.Millisecond
	longestBackoff = time.Minute
	steadyAfter    = 10 * time.Second
)

// policy says whether a container that ended is started again, and after how long.
func (s *Service) policy(e *entry, r *Record, st *proto.State) (again bool, delay time.Duration) {
	if r.Stopped || r.Doomed || s.closing.Load() {
		return false, 0
	}
	p := r.Host.RestartPolicy
	switch p.Name {
	case container.RestartPolicyAlways, container.RestartPolicyUnlessStopped:
	case container.RestartPolicyOnFailure:
		if st.ExitCode == 0 || p.MaximumRetryCount > 0 && r.Restarts >= p.MaximumRetryCount {
			return false, 0
		}
	default:
		return false, 0
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if st.ExitedAt.Sub(r.State.StartedAt) > steadyAfter {
		e.streak = 0
	}
	delay = backoff(e.streak)
	e.streak++
	return true, delay
}

// backoff is how long to wait before a restart that streak others went before.
func backoff(streak int) time.Duration {
	d := firstBackoff
	for range streak {
		if d *= 2; d >= longestBackoff {
			return longestBackoff
		}
	}
	return d
}

// restartLater starts a container after a while, unless it is stopped or removed before.
func (s *Service) restartLater(e *entry, delay time.Duration) {
	ctx, cancel := context.WithCancel(s.ctx)
	e.mu.Lock()
	e.backoff = cancel
	e.mu.Unlock()
	s.tasks.Go(func() {
		defer cancel()
		select {
		case <-ctx.Done():
			return
		case <-time.After(delay):
		}
		release, err := e.acquire(ctx)
		if err != nil {
			return
		}
		defer release()
		if r := e.snapshot(); ctx.Err() != nil || r.State.Status != container.StateRestarting || r.Doomed || s.closing.Load() {
			return
		}
		if err := s.start(ctx, e); err != nil {
			s.retry(e)
		}
	})
}

// retry goes on with a policy after a start that failed.
func (s *Service) retry(e *entry) {
	r := e.snapshot()
	again, delay := s.policy(e, &r, &proto.State{ExitCode: r.State.ExitCode, ExitedAt: r.State.StartedAt})
	if !again || r.Host.AutoRemove {
		return
	}
	if s.change(e, func(r *Record) { r.State.turn(container.StateRestarting); r.Restarts++ }) == nil {
		s.restartLater(e, delay)
	}
}

// stopBackoff ends a wait for a restart.
func (e *entry) stopBackoff() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.backoff != nil {
		e.backoff()
		e.backoff = nil
	}
}
