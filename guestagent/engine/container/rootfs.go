//go:build linux

package container

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/guestagent/engine/detached"
	"github.com/berthhq/berth/guestagent/engine/inroot"
	"github.com/berthhq/berth/guestagent/engine/runtime"
	"github.com/berthhq/berth/internal/errdefs"
)

// Files are a container's files as its processes see them, with what they cannot write read-only.
type Files struct {
	Dir   *os.File             // its root
	IDs   user.IdentityMapping // owners there are the machine's; this makes them the container's
	close func()
}

// Close lets go of them.
func (f *Files) Close() { f.close() }

// Open opens the files of a container. Those of one that does not run are put together as at its start: its layers, its
// volumes and binds, and the files that berth keeps for it.
func (s *Service) Open(ctx context.Context, ref string) (*Files, error) {
	e, err := s.find(ref)
	if err != nil {
		return nil, err
	}
	r := e.snapshot()
	if r.Doomed {
		return nil, errdefs.Conflict("container %s is marked for removal", r.Name)
	}
	dir, err := processRoot(&r)
	if err != nil {
		return nil, errdefs.System("opening the files of container %s: %w", r.Name, err)
	}
	if dir == nil {
		return s.assembleFiles(ctx, &r)
	}
	return &Files{Dir: dir, IDs: s.mapping(r.Host), close: func() { dir.Close() }}, nil
}

// processRoot opens the root as a container's process sees it; nil where none runs, or has ended and nobody was told yet.
func processRoot(r *Record) (*os.File, error) {
	if !r.State.running() {
		return nil, nil
	}
	root, err := os.Open(fmt.Sprintf("/proc/%d/root", r.State.Pid))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return nil, nil
	}
	return root, err
}

func (s *Service) assembleFiles(ctx context.Context, r *Record) (_ *Files, err error) {
	root, err := s.imageRoot(ctx, r)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if wd := r.Config.WorkingDir; wd != "" { // docker makes it when it makes the container
		if fd, err := inroot.OpenOrMake(int(root.Fd()), wd, true); err == nil {
			unix.Close(fd)
		}
	}
	unmount, err := s.mountVolumes(r)
	if err != nil {
		return nil, err
	}
	var held subpaths
	defer held.close()
	in := runtime.Input{}
	if err := s.userMounts(&in, r, &held); err != nil {
		unmount()
		return nil, err
	}
	s.ownFiles(&in, r)
	var binds []detached.Bind
	for _, m := range append(in.Files, in.Mounts...) {
		if m.Type == "bind" {
			binds = append(binds, detached.Bind{Source: m.Source, Target: m.Destination, ReadOnly: m.ReadOnly})
		}
	}
	w, err := detached.NewWorld(root, s.Layout.Run, binds, r.Host.ReadonlyRootfs)
	if err != nil {
		unmount()
		return nil, errdefs.System("opening the files of container %s: %w", r.Name, err)
	}
	return &Files{Dir: w.Dir, IDs: s.mapping(r.Host), close: func() { w.Close(); unmount() }}, nil
}

// Layers opens the root of a container without anything mounted on it. Owners there are the machine's ids of its users.
func (s *Service) Layers(ctx context.Context, ref string) (*os.File, user.IdentityMapping, error) {
	e, err := s.find(ref)
	if err != nil {
		return nil, user.IdentityMapping{}, err
	}
	r := e.snapshot()
	root, err := processRoot(&r)
	if err == nil && root == nil {
		root, err = s.imageRoot(ctx, &r)
	}
	return root, s.mapping(r.Host), err
}
