//go:build linux

package container

import (
	"context"
	"errors"
	"os"
	"strconv"

	"github.com/berthhq/berth/guestagent/engine/detached"
	"github.com/berthhq/berth/guestagent/engine/inroot"
	"github.com/berthhq/berth/internal/agentapi"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/mount"
	apimount "github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/volume"
	"golang.org/x/sys/unix"
)

// announceVolumes names the anonymous volumes of a new container and writes a record that dooms it and them, so that
// they are taken back where the creation is cut short. The record proper replaces it.
func (s *Service) announceVolumes(r *Record) error {
	mounts := append([]Mount(nil), r.Mounts...)
	some := false
	for i := range mounts {
		if m := &mounts[i]; m.Anonymous {
			id, err := newID()
			if err != nil {
				return err
			}
			m.Name, some = id, true
		}
	}
	if !some {
		return nil
	}
	r.Mounts = mounts
	doomed := *r
	doomed.Doomed, doomed.DoomedVolumes = true, true
	return s.store(r).Put(r.ID, doomed)
}

// makeVolumes makes the volumes of a new container, holds those that exist, and fills new ones with what the image has
// at their place.
func (s *Service) makeVolumes(ctx context.Context, r *Record) error {
	mounts := append([]Mount(nil), r.Mounts...)
	var root *os.File
	defer func() {
		if root != nil {
			root.Close()
		}
	}()
	for i := range mounts {
		m := &mounts[i]
		if m.Type == apimount.TypeImage {
			if err := s.holdImage(ctx, r, m, i); err != nil {
				return err
			}
		}
		if m.Type != apimount.TypeVolume {
			continue
		}
		v, err := s.Volumes.Create(ctx, s.volumeRequest(r, m))
		if err != nil {
			return err
		}
		m.Name, m.Source, m.Driver = v.Name, v.Mountpoint, v.Driver
		if err := s.Volumes.Acquire(m.Name, r.ID); err != nil {
			return err
		}
		if m.NoCopy {
			continue
		}
		if root == nil {
			if root, err = s.imageRoot(ctx, r); err != nil {
				return err
			}
		}
		if err := s.copyUp(root, m); err != nil {
			return err
		}
	}
	r.Mounts = mounts
	return nil
}

func (s *Service) volumeRequest(r *Record, m *Mount) *volume.CreateRequest {
	req := &volume.CreateRequest{Name: m.Name, Driver: m.Driver}
	for _, spec := range r.Host.Mounts {
		if o := spec.VolumeOptions; o != nil && within(m.Destination, spec.Target) {
			req.Labels = o.Labels
			if o.DriverConfig != nil {
				req.DriverOpts = o.DriverConfig.Options
			}
		}
	}
	if m.Anonymous {
		req.Labels = map[string]string{"com.docker.volume.anonymous": ""}
	}
	if req.Driver == "" {
		req.Driver = r.Host.VolumeDriver
	}
	return req
}

// imageRoot opens the container's file system as it stands, with the machine's ids of its users, mounted nowhere.
func (s *Service) imageRoot(ctx context.Context, r *Record) (*os.File, error) {
	mounts, err := s.Images.Mounts(ctx, r.Image, r.ID, s.Layout.Container(r.ID))
	if err != nil {
		return nil, err
	}
	var root *os.File
	if ids := s.mapping(r.Host); ids.Empty() {
		root, err = detached.Root(detach(mounts))
	} else {
		root, err = detached.Shifted(detach(mounts), ids)
	}
	if err != nil {
		return nil, errdefs.System("mounting the root of container %s: %w", r.Name, err)
	}
	return root, nil
}

func detach(in []mount.Mount) []detached.Mount {
	out := make([]detached.Mount, len(in))
	for i, m := range in {
		out[i] = detached.Mount{Type: m.Type, Source: m.Source, Options: m.Options}
	}
	return out
}

// copyUp fills a volume from the image, if it has a directory there. The path is the image's, and hostile: it is
// resolved inside the root (openat2(2)).
func (s *Service) copyUp(root *os.File, m *Mount) error {
	fd, err := inroot.Open(int(root.Fd()), m.Destination, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil // nothing there, or no directory: nothing to copy
	}
	dir := os.NewFile(uintptr(fd), m.Destination)
	defer dir.Close()
	return s.Volumes.CopyUp(m.Name, m.Subpath, dir)
}

// mountVolumes makes the sources of a container's mounts ready for its start. Its second result takes it back.
func (s *Service) mountVolumes(r *Record) (undo func(), err error) {
	var mounted []*Mount
	undo = func() {
		for _, m := range mounted {
			s.unmountVolume(r, m)
		}
	}
	for i := range r.Mounts {
		m := &r.Mounts[i]
		switch m.Type {
		case apimount.TypeVolume:
			path, err := s.Volumes.Mount(m.Name)
			if err != nil {
				undo()
				return nil, err
			}
			mounted = append(mounted, m)
			m.Source = path
			s.Bus.Publish("volume", "mount", m.Name, map[string]string{"driver": m.Driver, "container": r.ID,
				"destination": m.Destination, "read/write": strconv.FormatBool(!m.ReadOnly), "propagation": string(m.Propagation)})
		case apimount.TypeBind:
			if err := s.bindSource(m); err != nil {
				undo()
				return nil, err
			}
		}
	}
	return undo, nil
}

// unmountVolumes lets go of what mountVolumes took.
func (s *Service) unmountVolumes(r *Record) {
	for i := range r.Mounts {
		if m := &r.Mounts[i]; m.Type == apimount.TypeVolume {
			s.unmountVolume(r, m)
		}
	}
}

func (s *Service) unmountVolume(r *Record, m *Mount) {
	s.Volumes.Unmount(m.Name)
	s.Bus.Publish("volume", "unmount", m.Name, map[string]string{"driver": m.Driver, "container": r.ID})
}

// bindSource finds the source of a bind, and makes a directory of one that is not there where -v asked for it.
func (s *Service) bindSource(m *Mount) error {
	if s.ownSocket(m) {
		return nil
	}
	if s.Defaults.HostPath != nil {
		return s.hostSource(m, m.MakeSource)
	}
	_, err := os.Stat(m.Source)
	if err == nil {
		return nil
	}
	if !os.IsNotExist(err) || !m.MakeSource {
		return noSource(m)
	}
	if err := os.MkdirAll(m.Source, 0o755); err != nil {
		return errdefs.System("error while creating mount source path '%s': %w", m.Source, err)
	}
	return nil
}

// hostSource finds a bind's source on the computer around this virtual machine.
func (s *Service) hostSource(m *Mount, make bool) (err error) {
	m.at, err = s.Defaults.HostPath(s.ctx, m.Source, make)
	switch e, ok := errors.AsType[*agentapi.Error](err); {
	case err == nil:
		return nil
	case ok && e.Code == agentapi.CodeNotFound:
		return noSource(m)
	case ok && e.Code == agentapi.CodeInvalid:
		return errdefs.Invalid("invalid mount config for type \"bind\": %w", err)
	}
	return errdefs.System("mounting %s of the host: %w", m.Source, err)
}

// sourceExists refuses a bind of --mount whose source is not there.
func (s *Service) sourceExists(m *Mount) error {
	switch {
	case m.Type != apimount.TypeBind || m.MakeSource || s.ownSocket(m):
		return nil
	case s.Defaults.HostPath != nil:
		return s.hostSource(m, false)
	}
	if _, err := os.Stat(m.Source); err != nil {
		return noSource(m)
	}
	return nil
}

func noSource(m *Mount) error {
	return errdefs.Invalid("invalid mount config for type \"bind\": bind source path does not exist: %s", m.Source)
}

// ownSocket says that a bind is docker's socket: a container is given this engine's.
func (s *Service) ownSocket(m *Mount) bool {
	return s.Defaults.DockerSocket != "" && (m.Source == "/var/run/docker.sock" || m.Source == "/run/docker.sock")
}
