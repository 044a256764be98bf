//go:build linux

package container

import (
	"context"
	"strconv"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/moby/moby/api/types/container"
)

// Run makes the records agree with what really runs, and then follows what happens to it until Close. ready is called
// once the first is done. It must run for the service to be of use.
func (s *Service) Run(ready func()) {
	s.tasks.Go(func() {
		first := true
		s.Runtime.Watch(s.ctx, func(ev proto.Event) {
			switch ev.Type {
			case proto.EventSnapshot:
				s.reconcile(ev.Containers, first)
				if first {
					first = false
					ready()
				}
			case proto.EventExit:
				s.exited(ev.State)
			case proto.EventOOM:
				if e, err := s.find(ev.State.ID); err == nil {
					r := e.snapshot()
					s.publish(&r, "oom")
				}
			case proto.EventDetach:
				if e, err := s.find(ev.State.ID); err == nil {
					r := e.snapshot()
					s.publish(&r, "detach")
				}
			}
		})
	})
}

// exited takes note of the end of a process.
func (s *Service) exited(st *proto.State) {
	if st.ExecID != "" {
		s.execEnded(st)
		return
	}
	e, err := s.find(st.ID)
	if err != nil {
		s.tasks.Go(func() { s.Runtime.Release(s.ctx, st.ID, "") }) // of a container that is no more
		return
	}
	s.tasks.Go(func() { s.ended(e, st) })
}

// ended handles the end of a container: what it held of the machine is given back before anybody is told. An end that
// is told of twice is handled once.
func (s *Service) ended(e *entry, st *proto.State) {
	e.mu.Lock()
	if e.starting {
		e.early = st
		e.mu.Unlock()
		return
	}
	r := e.rec
	if e.ending || !r.State.running() || r.State.Pid != 0 && st.Pid != 0 && r.State.Pid != st.Pid {
		e.mu.Unlock()
		return
	}
	e.ending = true
	if e.probing != nil {
		e.probing()
	}
	e.mu.Unlock()
	ctx := context.WithoutCancel(s.ctx)
	s.Networks.Detach(ctx, r.ID)
	s.unmountVolumes(&r)
	s.dropShm(&r)
	s.endExecs(e)
	again, delay, err := s.recordEnd(e, &r, st)
	seconds := int(st.ExitedAt.Sub(r.State.StartedAt).Seconds())
	s.publish(&r, "die", "exitCode", strconv.Itoa(st.ExitCode), "execDuration", strconv.Itoa(max(seconds, 0)))
	if err == nil { // else the record is repaired when the engine comes back, from what the supervisor knows
		s.Runtime.Release(ctx, r.ID, "")
	}
	e.mu.Lock()
	e.ending = false
	e.exits++
	e.wake()
	e.mu.Unlock()
	s.afterEnd(e, &r, again, delay)
}

// recordEnd writes down how a container ended and whether its policy starts it again.
func (s *Service) recordEnd(e *entry, was *Record, st *proto.State) (again bool, delay time.Duration, err error) {
	again, delay = s.policy(e, was, st)
	at := st.ExitedAt.UTC()
	if at.IsZero() {
		at = time.Now().UTC()
	}
	err = s.change(e, func(r *Record) {
		// Who stopped it meanwhile has the last word.
		if again = again && !r.Stopped && !r.Doomed; again {
			r.State.turn(container.StateRestarting)
			r.Restarts++
		} else {
			r.State.turn(container.StateExited)
		}
		r.State.ExitCode, r.State.OOMKilled, r.State.FinishedAt = st.ExitCode, st.OOMKilled, at
		if h := r.State.Health; h != nil && h.Status != container.NoHealthcheck {
			c := *h
			c.Status = container.Unhealthy
			r.State.Health = &c
		}
	})
	return again, delay, err
}

// afterEnd does what the container's policies say.
func (s *Service) afterEnd(e *entry, r *Record, again bool, delay time.Duration) {
	switch {
	case again:
		s.restartLater(e, delay)
	case r.Host.AutoRemove:
		release, err := e.acquire(s.ctx)
		if err != nil {
			return // removed already, or the engine stops and finishes it when it comes back
		}
		defer release()
		e.mu.Lock()
		again := e.gone || e.rec.State.running()
		e.mu.Unlock()
		if !again {
			s.remove(context.WithoutCancel(s.ctx), e, true)
		}
	}
}
