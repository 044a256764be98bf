//go:build linux

package container

import (
	"context"
	"os"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	apimount "github.com/moby/moby/api/types/mount"
)

// lostCode is the exit code of a container whose end nobody saw, as docker gives it.
const lostCode = 255

// reconcile makes records agree with what the supervisor knows. The first time it also finishes what an engine that
// was killed had begun, and starts what restart policies want started.
func (s *Service) reconcile(known []proto.State, first bool) {
	byID := map[string]*proto.State{}
	for i := range known {
		byID[known[i].ID] = &known[i]
	}
	var ends []func()
	for _, e := range s.entries() {
		r := e.snapshot()
		st := byID[r.ID]
		switch {
		case st != nil && st.Status != proto.StatusExited:
			s.adopt(e, st)
		case st != nil:
			s.adopt(e, st)
			ends = append(ends, func() {
				s.ended(e, st)
				s.forget(e, st)
			})
		case r.State.running():
			e.mu.Lock()
			starting := e.starting
			e.mu.Unlock()
			if !starting {
				ends = append(ends, func() { s.missing(e, &r) })
			}
		}
	}
	if first {
		s.adoptExecs(byID)
		s.finish(byID) // holds the volumes that an end lets go of
	}
	for _, end := range ends {
		s.tasks.Go(end)
	}
	for id, st := range byID {
		if _, err := s.find(id); err != nil {
			s.tasks.Go(func() { s.discard(id, st) })
		}
	}
}

// missing handles a container that is to run and was not in the supervisor's snapshot. It may have been started since
// the snapshot was made; if not, nobody saw its end.
func (s *Service) missing(e *entry, r *Record) {
	st, err := s.Runtime.State(s.ctx, r.ID, "")
	switch {
	case err == nil && st.Status == proto.StatusExited:
		s.ended(e, &st)
	case err == nil && st.Status != "":
	case err != nil && errdefs.KindOf(err) != errdefs.KindNotFound:
		// The supervisor is gone again: the next one's snapshot tells.
	default:
		s.ended(e, &proto.State{ID: r.ID, Pid: r.State.Pid, ExitCode: lostCode, ExitedAt: time.Now()})
	}
}

// adopt takes up a container that runs, or has run, though the record may say otherwise: the engine died between the
// two. What st tells may be old: a run whose end is recorded, or being recorded, is not taken up again.
func (s *Service) adopt(e *entry, st *proto.State) {
	e.mu.Lock()
	r := &e.rec.State
	known := e.starting || e.ending || r.running() && (r.Pid == st.Pid || st.Status == proto.StatusExited) || r.tells(st)
	e.mu.Unlock()
	if known {
		return
	}
	s.change(e, func(r *Record) {
		if !r.State.running() {
			r.State.turn(container.StateRunning)
		}
		if st.Status == proto.StatusPaused {
			r.State.turn(container.StatePaused)
		}
		r.State.Pid, r.State.StartedAt = st.Pid, st.StartedAt.UTC()
	})
}

// tells says that the state is that of this very run, which has ended.
func (s *State) tells(st *proto.State) bool {
	return !s.running() && !st.StartedAt.IsZero() && s.StartedAt.Equal(st.StartedAt)
}

// forget has the supervisor forget a run whose end was recorded before this snapshot: the supervisor that was told to
// died first.
func (s *Service) forget(e *entry, st *proto.State) {
	e.mu.Lock()
	recorded := e.rec.State.tells(st)
	e.mu.Unlock()
	if !recorded {
		return
	}
	release, err := e.acquire(s.ctx) // a start must not lose what it has just begun
	if err != nil {
		return
	}
	defer release()
	if r := e.snapshot(); r.State.tells(st) {
		s.Runtime.Release(s.ctx, r.ID, "")
	}
}

// discard ends a process that belongs to no container.
func (s *Service) discard(id string, st *proto.State) {
	if st.Status != proto.StatusExited {
		s.Runtime.Signal(s.ctx, id, "", 9, true)
	}
	s.Runtime.Release(s.ctx, id, "")
}

// finish brings the state directory to what the records say.
func (s *Service) finish(running map[string]*proto.State) {
	ctx := context.WithoutCancel(s.ctx)
	var live []string
	for _, e := range s.entries() {
		r := e.snapshot()
		if st := running[r.ID]; st != nil && st.Status != proto.StatusExited {
			live = append(live, r.ID)
		}
	}
	s.Networks.Reconcile(ctx, live)
	for _, e := range s.entries() {
		r := e.snapshot()
		s.holdVolumes(&r)
		switch {
		case r.Predecessor != nil && !r.Doomed:
			if r.State.running() {
				s.watchHealth(e)
			}
			s.tasks.Go(func() { s.finishEdit(e) })
		case r.Doomed || r.Host.AutoRemove && !r.State.running() && running[r.ID] == nil && r.State.Status != container.StateCreated:
			s.tasks.Go(func() {
				if release, err := e.acquire(s.ctx); err == nil {
					defer release()
					s.remove(ctx, e, r.Host.AutoRemove || r.DoomedVolumes)
				}
			})
		case r.State.running():
			s.watchHealth(e)
		case r.State.Status == container.StateRestarting, s.startsWithEngine(&r):
			s.tasks.Go(func() { s.revive(e) })
		}
	}
	s.strays()
}

func (s *Service) holdVolumes(r *Record) {
	for _, m := range r.Mounts {
		if m.Type != apimount.TypeVolume {
			continue
		}
		s.Volumes.Acquire(m.Name, r.ID)
		if r.State.running() {
			s.Volumes.Mount(m.Name)
		}
	}
}

// startsWithEngine says whether a restart policy wants a container started when the engine starts.
func (s *Service) startsWithEngine(r *Record) bool {
	if r.State.Status != container.StateExited {
		return false
	}
	switch p := r.Host.RestartPolicy; p.Name {
	case container.RestartPolicyAlways:
		return true
	case container.RestartPolicyUnlessStopped:
		return !r.Stopped
	case container.RestartPolicyOnFailure: // one that failed with tries left was ended by the machine's shutdown
		return !r.Stopped && r.State.ExitCode != 0 && (p.MaximumRetryCount == 0 || r.Restarts < p.MaximumRetryCount)
	}
	return false
}

func (s *Service) revive(e *entry) {
	release, err := e.acquire(s.ctx)
	if err != nil {
		return
	}
	defer release()
	if r := e.snapshot(); r.State.running() || r.Doomed || s.closing.Load() {
		return
	}
	if s.start(s.ctx, e) != nil {
		s.retry(e)
	}
}

// strays removes directories of containers that have no record: of creations that were cut short.
func (s *Service) strays() {
	list, err := os.ReadDir(s.Layout.Containers())
	if err != nil {
		return
	}
	for _, d := range list {
		s.mu.Lock()
		_, known := s.byID[d.Name()]
		s.mu.Unlock()
		if !known {
			s.Images.Release(s.ctx, d.Name())
			os.RemoveAll(s.Layout.Container(d.Name()))
		}
	}
}
