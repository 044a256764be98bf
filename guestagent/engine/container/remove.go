//go:build linux

package container

import (
	"context"
	"os"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	apimount "github.com/moby/moby/api/types/mount"
)

// ContainerRemove removes a container; force ends it before, volumes takes its anonymous volumes along, link removes
// only the link that ref names ("/web/db"). Its name is free when this returns.
func (s *Service) ContainerRemove(ctx context.Context, ref string, force, volumes, link bool) error {
	if link {
		return s.removeLink(ref)
	}
	e, err := s.find(ref)
	if err != nil {
		return err
	}
	release, err := e.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	r := e.snapshot()
	ctx = context.WithoutCancel(ctx)
	if r.State.running() || r.State.Status == container.StateRestarting {
		if !force {
			return removalConflict(ref, &r)
		}
		zero := 0
		if r.State.Status == container.StatePaused {
			s.Runtime.Resume(ctx, r.ID)
		}
		if err := s.halt(ctx, e, "SIGKILL", &zero); err != nil {
			return errdefs.System("cannot remove container %q: could not kill: %w", r.Name, err)
		}
	}
	return s.remove(ctx, e, volumes)
}

func removalConflict(ref string, r *Record) error {
	what := "container is running: stop the container before removing or force remove"
	switch r.State.Status {
	case container.StatePaused:
		what = "container is paused and must be unpaused first"
	case container.StateRestarting:
		what = "container is restarting: stop the container before removing or force remove"
	}
	return errdefs.Conflict("cannot remove container %q: %s", r.Name, what)
}

// remove takes away everything of a container that does not run; the caller has its turn. The record goes last, so that
// a removal that is cut short is finished when the engine comes back.
func (s *Service) remove(ctx context.Context, e *entry, volumes bool) error {
	e.stopBackoff()
	if err := s.change(e, func(r *Record) { r.Doomed, r.DoomedVolumes = true, volumes; r.State.turn(container.StateRemoving) }); err != nil {
		return err
	}
	r := e.snapshot()
	s.Networks.Detach(ctx, r.ID)
	s.Volumes.Release(r.ID)
	if volumes {
		s.removeVolumes(ctx, &r)
	}
	s.drop(e)
	s.publish(&r, "destroy")
	e.mu.Lock()
	e.gone = true
	e.wake()
	e.mu.Unlock()
	return s.sweep(ctx, &r)
}

// sweep removes what a container had on disk, and its record.
func (s *Service) sweep(ctx context.Context, r *Record) error {
	if err := s.Images.Release(ctx, r.ID); err != nil {
		return errdefs.System("removing container %s: %w", r.Name, err)
	}
	if err := os.RemoveAll(s.Layout.Container(r.ID)); err != nil {
		return errdefs.System("removing container %s: %w", r.Name, err)
	}
	return s.store(r).Delete(r.ID)
}

// removeVolumes removes the anonymous volumes; one that another container uses stays.
func (s *Service) removeVolumes(ctx context.Context, r *Record) {
	for _, m := range r.Mounts {
		if m.Type == apimount.TypeVolume && (m.Anonymous || m.Inherited) {
			s.Volumes.Remove(ctx, m.Name, false)
		}
	}
}

// removeLink removes a legacy link by the name that it gave its target: "container/alias".
func (s *Service) removeLink(ref string) error {
	parent, alias, ok := strings.Cut(strings.TrimPrefix(ref, "/"), "/")
	if !ok {
		return errdefs.Invalid("Conflict, cannot remove the default link name of the container")
	}
	e, err := s.find(parent)
	if err != nil {
		return err
	}
	if _, ok := e.snapshot().Links[alias]; !ok {
		return errdefs.NotFound("No such link: %s", ref)
	}
	return s.change(e, func(r *Record) {
		links := map[string]string{}
		for k, v := range r.Links {
			if k != alias {
				links[k] = v
			}
		}
		r.Links = links
	})
}
