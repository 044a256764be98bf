//go:build linux

package container

import (
	"context"
	"path/filepath"

	"github.com/moby/moby/api/types/mount"
)

// fromImage reads the form of --mount type=image.
func (m *Mount) fromImage(in *mount.Mount, bad func(string, ...any) error) error {
	switch {
	case in.BindOptions != nil:
		return bad("field BindOptions must not be specified")
	case in.VolumeOptions != nil:
		return bad("field VolumeOptions must not be specified")
	case in.Source == "":
		return bad("field Source must not be empty")
	}
	m.Name, m.ReadOnly = in.Source, true
	if o := in.ImageOptions; o != nil {
		if m.Subpath = o.Subpath; m.Subpath != "" && !filepath.IsLocal(m.Subpath) {
			return bad("subpath must be a relative path within the volume")
		}
	}
	return nil
}

// holdImage finds the image that a new container mounts and keeps its layers for it, also where the image is removed.
func (s *Service) holdImage(ctx context.Context, r *Record, m *Mount, n int) error {
	img, err := s.Images.Resolve(ctx, m.Name, nil)
	if err != nil {
		return err
	}
	m.Image, m.Source = img, img.ID
	return s.Images.Hold(ctx, img, r.ID, s.Layout.Container(r.ID), n)
}

// imageSource mounts an image for as long as held is open, and gives what is to be bound of it.
func (s *Service) imageSource(m *Mount, held *subpaths) (string, error) {
	dir, done, err := s.Images.MountReadOnly(context.Background(), m.Image) // a start is not cut short by its client
	if err != nil {
		return "", err
	}
	*held = append(*held, done)
	if m.Subpath == "" {
		return dir, nil
	}
	return held.open(dir, m.Subpath)
}
