//go:build linux

package container

import (
	"context"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
)

// ContainerPause freezes a running container.
func (s *Service) ContainerPause(ctx context.Context, ref string) error {
	return s.freeze(ctx, ref, "pause", container.StateRunning, container.StatePaused, s.Runtime.Pause)
}

// ContainerUnpause lets a paused container go on.
func (s *Service) ContainerUnpause(ctx context.Context, ref string) error {
	return s.freeze(ctx, ref, "unpause", container.StatePaused, container.StateRunning, s.Runtime.Resume)
}

func (s *Service) freeze(ctx context.Context, ref, action string, from, to container.ContainerState, do func(context.Context, string) error) error {
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
	if r.State.Status != from {
		switch {
		case r.State.Status == container.StatePaused:
			return errdefs.Conflict("Container %s is already paused", r.ID)
		case action == "unpause":
			return errdefs.System("Container %s is not paused", r.ID)
		}
		return errdefs.Conflict("container %s is not running", r.ID)
	}
	if err := do(ctx, r.ID); err != nil {
		return err
	}
	if err := s.change(e, func(r *Record) { r.State.turn(to) }); err != nil {
		return err
	}
	s.publish(&r, action)
	return nil
}
