//go:build linux

package container

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/berthhq/berth/internal/editapi"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// How long a successor is watched before its predecessor is given up.
const (
	settleTime   = 3 * time.Second // of one without a health check
	settleHealth = time.Minute     // of one with a health check, unless the client says otherwise
)

// Predecessor is what a container goes back to where its successor does not start. A record that has one is of an edit
// that has not come to its end.
type Predecessor struct {
	Config   *container.Config
	Host     *container.HostConfig
	Mounts   []Mount
	Networks map[string]*network.EndpointSettings
	Links    map[string]string
}

func (r *Record) predecessor() *Predecessor {
	return &Predecessor{Config: r.Config, Host: r.Host, Mounts: r.Mounts, Networks: r.Networks, Links: r.Links}
}

func (r *Record) become(p *Predecessor) {
	r.Config, r.Host, r.Mounts, r.Networks, r.Links = p.Config, p.Host, p.Mounts, p.Networks, p.Links
}

// ContainerEditPlan says what an edit would do.
func (s *Service) ContainerEditPlan(_ context.Context, ref string, c *editapi.Change) (*editapi.Plan, error) {
	e, err := s.find(ref)
	if err != nil {
		return nil, err
	}
	r := e.snapshot()
	ed, err := s.planEdit(&r, c)
	if err != nil {
		return nil, err
	}
	return &ed.plan, nil
}

// ContainerEdit changes a container. What cannot change while it runs is done by a successor: the container is stopped
// and started again with its identity, writable layer, volumes, addresses and name, and another configuration. Where the
// successor does not start, ends at once or gets unhealthy, the container goes back to what it was, and the error says
// so. Killed at any point, the engine that comes next finds one or the other.
func (s *Service) ContainerEdit(ctx context.Context, ref string, c *editapi.Change) (*editapi.Plan, error) {
	e, err := s.find(ref)
	if err != nil {
		return nil, err
	}
	plan, err := s.succeed(ctx, e, c)
	if err != nil {
		return nil, err
	}
	return plan, s.editInPlace(ctx, plan.ID, c)
}

// succeed plans an edit and does what of it takes a successor.
func (s *Service) succeed(ctx context.Context, e *entry, c *editapi.Change) (*editapi.Plan, error) {
	release, err := e.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	r := e.snapshot()
	ed, err := s.planEdit(&r, c)
	if err != nil || !ed.plan.Successor() {
		return &ed.orNone().plan, err
	}
	ctx = context.WithoutCancel(ctx) // half an edit would be worse than one that nobody waits for
	switch r.State.Status {
	case container.StateRunning:
		return &ed.plan, s.replace(ctx, e, ed, time.Duration(c.Wait)*time.Second)
	case container.StatePaused, container.StateRestarting:
		return nil, errdefs.Conflict("container %s is %s: this edit takes a successor", r.Name, r.State.Status).
			WithHint("Unpause or stop it first.")
	}
	if err := s.makeFresh(ctx, e, ed); err != nil {
		return nil, err
	}
	if err := s.change(e, func(r *Record) { r.become(ed.next.predecessor()) }); err != nil {
		return nil, err
	}
	s.releaseUnused(e)
	s.publish(&r, "update")
	return &ed.plan, nil
}

func (ed *editing) orNone() *editing {
	if ed == nil {
		return &editing{}
	}
	return ed
}

// replace stops a container and starts its successor; the caller has the turn.
func (s *Service) replace(ctx context.Context, e *entry, ed *editing, wait time.Duration) error {
	defer s.Networks.HoldAddresses(ed.next.ID)()
	e.setAgain(true) // clients that hear of the end and ask wait for the successor
	defer e.setAgain(false)
	old := e.snapshot()
	if err := s.change(e, func(r *Record) { r.Predecessor = r.predecessor() }); err != nil {
		return err
	}
	if err := s.halt(ctx, e, "", nil); err != nil {
		return s.settled(e, err)
	}
	err := s.makeFresh(ctx, e, ed)
	if err == nil {
		err = s.change(e, func(r *Record) {
			r.become(ed.next.predecessor())
			r.Stopped, r.Restarts = false, 0
		})
	}
	if err == nil {
		err = s.prove(ctx, e, wait)
	}
	if err != nil {
		return s.goBack(ctx, e, err)
	}
	s.releaseUnused(e)
	if err := s.settled(e, nil); err != nil {
		return err
	}
	s.publish(&old, "update")
	return nil
}

// settled ends an edit: there is no way back from here.
func (s *Service) settled(e *entry, err error) error {
	if saved := s.change(e, func(r *Record) { r.Predecessor = nil }); err == nil {
		err = saved
	}
	return err
}

// prove starts a container and watches whether it stays.
func (s *Service) prove(ctx context.Context, e *entry, wait time.Duration) error {
	e.mu.Lock()
	ends := e.exits
	e.mu.Unlock()
	r := e.snapshot()
	if err := s.launch(ctx, e, &r); err != nil {
		return err
	}
	checked := len(probeArgs(r.Config)) > 0
	if wait <= 0 {
		wait = settleTime
		if checked {
			wait = settleHealth
		}
	}
	health := func() container.HealthStatus {
		if h := e.rec.State.Health; h != nil && checked {
			return h.Status
		}
		return container.NoHealthcheck
	}
	watching, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	e.until(watching, func() bool {
		return e.exits != ends || !e.rec.State.running() || health() == container.Healthy || health() == container.Unhealthy
	})
	e.mu.Lock()
	defer e.mu.Unlock()
	switch st := e.rec.State; {
	case e.exits != ends || !st.running():
		return errdefs.Conflict("it ended at once with exit code %d", st.ExitCode)
	case health() == container.Unhealthy:
		return errdefs.Conflict("it is unhealthy")
	}
	return nil
}

// goBack starts the predecessor of a container whose successor failed. The error that it returns tells both.
func (s *Service) goBack(ctx context.Context, e *entry, why error) error {
	if err := s.halt(ctx, e, "", nil); err != nil {
		return errdefs.System("container %s could not be changed (%w), and its successor does not end: %v", e.snapshot().Name, why, err)
	}
	s.change(e, func(r *Record) {
		r.become(r.Predecessor)
		r.Stopped, r.Restarts = false, 0
	})
	s.releaseUnused(e)
	r := e.snapshot()
	if err := s.launch(ctx, e, &r); err != nil {
		s.change(e, func(r *Record) { r.State.ExitCode, r.State.Error = startCode(err), err.Error() })
		return s.settled(e, errdefs.System("container %s could not be changed (%w) and does not start as it was: %v", r.Name, why, err))
	}
	return s.settled(e, errdefs.Conflict("container %s did not start with the change and runs as before: %w", r.Name, why).
		WithHint("Nothing of it was lost; 'berth logs %s' shows what its successor said.", r.Name))
}

// finishEdit brings an edit that an engine did not live to finish to an end: what runs stays, else the successor is
// tried, else the predecessor runs.
func (s *Service) finishEdit(e *entry) {
	release, err := e.acquire(s.ctx)
	if err != nil {
		return
	}
	defer release()
	ctx := context.WithoutCancel(s.ctx)
	r := e.snapshot()
	if r.Predecessor == nil || r.Doomed {
		return
	}
	defer s.Networks.HoldAddresses(r.ID)()
	if r.State.running() && r.Stopped { // it may have been sent its stop signal: it is not left to end by itself
		if err := s.halt(ctx, e, "", nil); err != nil {
			return // the next engine tries again
		}
		r = e.snapshot()
	}
	if !r.State.running() {
		e.stopBackoff()
		s.change(e, func(r *Record) { r.Stopped, r.Restarts = false, 0 })
		if err := s.prove(ctx, e, 0); err != nil {
			s.goBack(ctx, e, err)
			return
		}
	}
	s.releaseUnused(e)
	s.settled(e, nil)
}

// makeFresh makes the mounts that an edit adds; nothing of the container runs.
func (s *Service) makeFresh(ctx context.Context, e *entry, ed *editing) error {
	r := e.snapshot()
	r.Mounts = slices.Clone(ed.fresh)
	r.Host = ed.next.Host
	for i := range r.Mounts {
		if m := &r.Mounts[i]; m.Anonymous {
			id, err := newID()
			if err != nil {
				return err
			}
			m.Name = id
		}
	}
	if err := s.makeVolumes(ctx, &r); err != nil {
		return err
	}
	ed.next.Mounts = append(ed.next.Mounts, r.Mounts...)
	slices.SortFunc(ed.next.Mounts, func(a, b Mount) int { return strings.Compare(a.Destination, b.Destination) })
	return nil
}

// releaseUnused lets go of volumes that a container has no more.
func (s *Service) releaseUnused(e *entry) {
	r := e.snapshot()
	s.Volumes.Release(r.ID)
	for _, m := range r.Mounts {
		if m.Type == "volume" {
			s.Volumes.Acquire(m.Name, r.ID)
		}
	}
}

// editInPlace does what changes while a container runs.
func (s *Service) editInPlace(ctx context.Context, id string, c *editapi.Change) error {
	e, err := s.find(id)
	if err != nil {
		return err
	}
	r := e.snapshot()
	u := container.UpdateConfig{}
	if c.Memory != nil && *c.Memory != r.Host.Memory {
		if u.Memory = *c.Memory; r.Host.MemorySwap >= 0 {
			u.MemorySwap = 2 * u.Memory
		}
	}
	if c.NanoCPUs != nil && *c.NanoCPUs != r.Host.NanoCPUs {
		u.NanoCPUs = *c.NanoCPUs
	}
	if c.RestartPolicy != nil {
		u.RestartPolicy = *c.RestartPolicy
	}
	if u.Memory != 0 || u.NanoCPUs != 0 || u.RestartPolicy.Name != "" {
		if _, err := s.ContainerUpdate(ctx, id, &u); err != nil {
			return err
		}
	}
	if name := strings.TrimPrefix(c.Name, "/"); name != "" && name != r.Name {
		return s.ContainerRename(ctx, id, name)
	}
	return nil
}
