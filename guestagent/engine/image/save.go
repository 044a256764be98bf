//go:build linux

package image

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/images"
	imgarchive "github.com/containerd/containerd/v2/core/images/archive"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/image"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// ImageSave writes images as one tar that is both an OCI layout and a docker archive. A repository without a tag stands
// for all its tags; what is named by its ID or digest is saved without a name. platform nil is all that is here.
// each, which may be nil, is told the ID of every image that is saved.
func (s *Service) ImageSave(ctx context.Context, refs []string, platform *ocispec.Platform, w io.Writer, each func(id string)) error {
	if len(refs) == 0 {
		return errdefs.Invalid("no image was named to save")
	}
	ctx = s.ctx(ctx)
	opts := []imgarchive.ExportOpt{imgarchive.WithSkipNonDistributableBlobs(), imgarchive.WithSkipMissing(s.content)}
	if platform != nil {
		opts = append(opts, imgarchive.WithPlatform(s.strict(platform)))
	} else {
		opts = append(opts, imgarchive.WithPlatform(platforms.Ordered(*s.cfg.Platform)), imgarchive.WithAllPlatforms())
	}
	refs, err := s.allTags(ctx, refs)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		stored, err := s.find(ctx, ref)
		if err != nil {
			return err
		}
		target := stored.Target
		if platform != nil || images.IsIndexType(target.MediaType) && !s.wholeIndex(ctx, target) {
			p, err := s.pickFor(ctx, stored, ref, platform)
			if err != nil {
				return err
			}
			target = p.desc
		}
		target.Annotations, target.Platform = nil, nil
		if namesDigest(ref, stored) || isDangling(stored.Name) || byDigest(ref) {
			opts = append(opts, imgarchive.WithManifest(target))
		} else {
			opts = append(opts, imgarchive.WithManifest(target, stored.Name))
		}
		if each != nil {
			each(target.Digest.String())
		}
	}
	if err := imgarchive.Export(ctx, s.content, w, opts...); err != nil {
		return fmt.Errorf("saving images: %w", err)
	}
	return nil
}

// namesDigest says that what was typed is the beginning of an image's ID. That counts more than a name that happens to be
// written so.
func namesDigest(ref string, stored images.Image) bool {
	return strings.HasPrefix(stored.Target.Digest.Encoded(), strings.TrimPrefix(ref, stored.Target.Digest.Algorithm().String()+":"))
}

// byDigest says that an image was named by what it is: it is saved without a tag.
func byDigest(ref string) bool {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return false
	}
	_, ok := named.(reference.Digested)
	return ok
}

// allTags puts every tag that is here in the place of a repository without a tag of its own, as docker does.
func (s *Service) allTags(ctx context.Context, refs []string) ([]string, error) {
	var out []string
	for _, ref := range refs {
		named, err := reference.ParseNormalizedNamed(ref)
		if err == nil && reference.IsNameOnly(named) && byID(ref) {
			if stored, ferr := s.find(ctx, ref); ferr == nil && namesDigest(ref, stored) {
				named = nil
			}
		}
		if err != nil || named == nil || !reference.IsNameOnly(named) || strings.HasPrefix(ref, "sha256:") {
			out = append(out, ref)
			continue
		}
		list, err := s.images.List(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing images: %w", err)
		}
		before := len(out)
		for _, img := range list {
			if other, err := reference.ParseNormalizedNamed(img.Name); err == nil && other.Name() == named.Name() {
				out = append(out, familiar(img.Name))
			}
		}
		if len(out) == before {
			out = append(out, ref) // perhaps the beginning of an ID
		}
	}
	return out, nil
}

// pickFor is the manifest of an image to save. An image of one platform alone is not taken for another: what is asked for
// is there exactly, or the answer is NotFound, before anything is written.
func (s *Service) pickFor(ctx context.Context, stored images.Image, ref string, platform *ocispec.Platform) (*parts, error) {
	if platform == nil {
		return s.best(ctx, stored)
	}
	p, err := s.pick(ctx, stored.Target, s.strict(platform))
	if cerrdefs.IsNotFound(err) || err == nil && !s.strict(platform).Match(p.config.Platform) {
		err = s.noPlatform(ref, platform)
	}
	if err != nil {
		return nil, fmt.Errorf("no suitable export target found for platform %s: %w", platforms.FormatAll(*platform), err)
	}
	return p, nil
}

// wholeIndex tells whether every manifest of an index is here, with all that it names.
func (s *Service) wholeIndex(ctx context.Context, target ocispec.Descriptor) bool {
	var idx ocispec.Index
	if s.readJSON(ctx, target, maxManifestBytes, &idx) != nil {
		return false
	}
	for _, d := range idx.Manifests {
		var m image.ManifestSummary
		if s.measure(ctx, d, &m); !m.Available {
			return false
		}
	}
	return true
}
