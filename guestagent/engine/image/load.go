//go:build linux

package image

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/berthhq/berth/guestagent/engine/image/layertar"
	"github.com/berthhq/berth/guestagent/engine/image/progress"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/images"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// ImageLoad reads a docker archive or an OCI layout, compressed or not, and unpacks its images. Progress and the names
// that were loaded go to w in docker's form; quiet leaves the layers out. Of images for several platforms all that is there
// is taken, or only the one that is asked for. each, which may be nil, is told the ID of every image that was loaded.
// Errors: NotFound where the archive lacks it.
func (s *Service) ImageLoad(ctx context.Context, tar io.Reader, platform *ocispec.Platform, quiet bool, w io.Writer, each func(id string)) error {
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
	if platform != nil {
		if err := s.havePlatform(ctx, found, platform); err != nil {
			return err
		}
	}
	for _, img := range found {
		img.platform = platform
		if err := s.loadOne(ctx, img, lines); err != nil {
			return err
		}
		if img.name == "" {
			out.Stream("Loaded image ID: " + img.target.Digest.String() + "\n")
		} else {
			out.Stream("Loaded image: " + familiar(img.name) + "\n")
		}
		if each != nil {
			each(img.target.Digest.String())
		}
	}
	return nil
}

// archived is one image of an archive; its name is empty where it has none.
type archived struct {
	name     string
	target   ocispec.Descriptor
	platform *ocispec.Platform // the only one to be taken; nil for all that is there
}

// havePlatform makes sure that every image of an archive has all of a platform, before any is named.
func (s *Service) havePlatform(ctx context.Context, found []archived, p *ocispec.Platform) error {
	var lacking []string
	for _, img := range found {
		part, err := s.pick(ctx, img.target, s.strict(p))
		switch {
		case cerrdefs.IsNotFound(err) || err == nil && !s.strict(p).Match(part.config.Platform):
			lacking = append(lacking, familiarOrID(images.Image{Name: orText(img.name, danglingName(img.target.Digest)), Target: img.target}))
		case err != nil:
			return err
		case !s.allLayers(ctx, part):
			return errdefs.NotFound("requested platform (%s) found, but some content is missing", platforms.FormatAll(*p))
		}
	}
	switch len(lacking) {
	case 0:
		return nil
	case 1:
		return errdefs.NotFound("image %s was loaded, but doesn't provide the requested platform (%s)", lacking[0], platforms.FormatAll(*p))
	}
	return errdefs.NotFound("images [%s] were loaded, but don't provide the requested platform (%s)", strings.Join(lacking, ", "), platforms.FormatAll(*p))
}

func (s *Service) allLayers(ctx context.Context, p *parts) bool {
	return !slices.ContainsFunc(p.manifest.Layers, func(d ocispec.Descriptor) bool { return !s.present(ctx, d) })
}

func orText(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// loadOne links, unpacks and names one image whose content is in the store.
func (s *Service) loadOne(ctx context.Context, img archived, out *progress.Writer) error {
	var want platforms.MatchComparer = platforms.All
	if img.platform != nil {
		want = s.strict(img.platform)
	}
	list, err := s.manifests(ctx, img.target, want)
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
		if img.platform != nil || s.matcher(nil).Match(p.config.Platform) || len(here) == 1 {
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
