//go:build linux

package container

import (
	"context"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
)

// ContainerRename gives a container another name, in its networks' DNS too.
func (s *Service) ContainerRename(ctx context.Context, ref, name string) error {
	if name == "" {
		return errdefs.Invalid("Neither old nor new names may be empty")
	}
	e, err := s.find(ref)
	if err != nil {
		return err
	}
	if err := checkName(name); err != nil {
		return err
	}
	name = strings.TrimPrefix(name, "/")
	release, err := e.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	old := e.snapshot()
	if old.Name == name {
		return errdefs.Invalid("Renaming a container with the same name as its current name")
	}
	if err := s.rename(e, name); err != nil {
		return err
	}
	back := func(err error) error {
		s.rename(e, old.Name)
		return err
	}
	if err := s.change(e, func(*Record) {}); err != nil {
		return back(err)
	}
	if old.State.running() {
		if err := s.Networks.Rename(ctx, old.ID, name); err != nil {
			return back(err)
		}
	}
	r := e.snapshot()
	s.publish(&r, "rename", "oldName", "/"+old.Name)
	return nil
}

// rename moves the entry in the index.
func (s *Service) rename(e *entry, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.byName[name]; other != nil && other != e {
		return taken(name, other.rec.ID)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(s.byName, e.rec.Name)
	e.rec.Name = name
	s.byName[name] = e
	return nil
}
