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

// ended handles the end of a container: what it held of the machine is given back before anybody is told.
func (s *Service) ended(e *entry, st *proto.State) {
	e.mu.Lock()
	if e.starting {
		e.early = st
		e.mu.Unlock()
		return
	}
	r := e.rec
	if !r.State.running() || r.State.Pid != 0 && st.Pid != 0 && r.State.Pid != st.Pid {
		e.mu.Unlock()
		return
	}
	if e.probing != nil {
		e.probing()
	}
	e.mu.Unlock()
	ctx := context.WithoutCancel(s.ctx)
	s.Networks.Detach(ctx, r.ID)
	s.unmountVolumes(&r)
	s.dropShm(&r)
	s.endExecs(e)
	again, delay := s.policy(&r, st)
	err := s.change(e, func(r *Record) {
		if again {
			r.State.turn(container.StateRestarting)
			r.Restarts++
		} else {
			r.State.turn(container.StateExited)
		}
		at := st.ExitedAt.UTC()
		if at.IsZero() {
			at = time.Now().UTC()
		}
		r.State.ExitCode, r.State.OOMKilled, r.State.FinishedAt = st.ExitCode, st.OOMKilled, at
		if h := r.State.Health; h != nil && h.Status != container.NoHealthcheck {
			c := *h
			c.Status = container.Unhealthy
			r.State.Health = &c
		}
		e.exits++
	})
	seconds := int(st.ExitedAt.Sub(r.State.StartedAt).Seconds())
	s.publish(&r, "die", "exitCode", strconv.Itoa(st.ExitCode), "execDuration", strconv.Itoa(max(seconds, 0)))
	s.Runtime.Release(ctx, r.ID, "")
	if err != nil {
		return // the record is repaired at the next start of the engine, from what the supervisor knows
	}
	s.afterEnd(e, &r, again, delay)
}

// afterEnd does what the container's policies say.
func (s *Service) afterEnd(e *entry, r *Record, again bool, delay time.Duration) {
	switch {
	case again:
		s.restartLater(e, delay)
	case r.Host.AutoRemove:
		release, err := e.acquire(s.ctx)
		if err != nil {
			return // the engine stops; finished when it comes back
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
