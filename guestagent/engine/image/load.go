//go:build linux

package image

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/berthhq/berth/guestagent/engine/image/layertar"
	"github.com/berthhq/berth/guestagent/engine/image/progress"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/platforms"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// ImageLoad reads a docker archive or an OCI layout, compressed or not, and unpacks its images. Progress and the names
// that were loaded go to w in docker's form; quiet leaves the layers out.
func (s *Service) ImageLoad(ctx context.Context, tar io.Reader, quiet bool, w io.Writer) error {
	ctx = s.ctx(ctx)
	out := progress.New(w)
	lines := out
	if quiet {
		lines = progress.New(nil)
	}
	ctx, done, err := s.lease(ctx, fmt.Sprintf("load %d %s", time.Now().UnixNano(), randomName()))
	if err != nil {
		return err
	}
	// A load cannot be resumed, so nothing of a failed one is kept.
	defer done(true)
	plain, err := layertar.Decompress(tar)
	if err != nil {
		return fmt.Errorf("reading the archive: %w", err)
	}
	defer plain.Close()
	found, err := s.readArchive(ctx, plain)
	if err != nil {
		return err
	}
	for _, img := range found {
		if err := s.loadOne(ctx, img, lines); err != nil {
			return err
		}
		if img.name == "" {
			out.Stream("Loaded image ID: " + img.target.Digest.String() + "\n")
		} else {
			out.Stream("Loaded image: " + familiar(img.name) + "\n")
		}
	}
	return nil
}

// archived is one image of an archive; its name is empty where it has none.
type archived struct {
	name   string
	target ocispec.Descriptor
}

// loadOne links, unpacks and names one image whose content is in the store.
func (s *Service) loadOne(ctx context.Context, img archived, out *progress.Writer) error {
	list, err := s.manifests(ctx, img.target, platforms.All)
	if err != nil {
		return err
	}
	var here []ocispec.Descriptor
	for _, d := range list {
		if s.present(ctx, d) {
			here = append(here, d)
		}
	}
	if images.IsIndexType(img.target.MediaType) {
		if err := s.linkManifests(ctx, img.target, here); err != nil {
			return err
		}
	}
	for _, d := range here {
		p, err := s.load(ctx, d)
		if err != nil {
			return fmt.Errorf("loading %s: %w", d.Digest, err)
		}
		if err := s.linkImage(ctx, p); err != nil {
			return err
		}
		if s.matcher(nil).Match(p.config.Platform) || len(here) == 1 {
			if err := s.newLayerSet(nil, p, out).run(ctx); err != nil {
				return err
			}
		}
	}
	name := img.name
	if name == "" {
		name = danglingName(img.target.Digest)
	}
	_, err = s.setName(ctx, name, img.target)
	return err
}
