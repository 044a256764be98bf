//go:build linux

package image

import (
	"context"
	"fmt"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/images"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/moby/moby/api/types/image"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// strict is p alone, without what would run on it too; nil means what matcher does.
func (s *Service) strict(p *ocispec.Platform) platforms.MatchComparer {
	if p == nil {
		return s.matcher(nil)
	}
	return platforms.OnlyStrict(platforms.Normalize(*p))
}

// ImageRemovePlatforms removes what an image has for some platforms, and keeps its names. Other images with the same
// manifests lose them too, which is why it must be forced. Layers that others have stay. Errors: Invalid without force,
// NotFound for a platform that is not here.
func (s *Service) ImageRemovePlatforms(ctx context.Context, ref string, force bool, list []ocispec.Platform) ([]image.DeleteResponse, error) {
	if !force {
		return nil, errdefs.Invalid("Content will be removed from all images referencing this variant. Use —-force to force delete.")
	}
	ctx = s.ctx(ctx)
	unlock, err := s.locks.lock(ctx, "names")
	if err != nil {
		return nil, err
	}
	defer unlock()
	stored, err := s.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer s.gc.soon()
	defer s.resolved.drop()
	out := []image.DeleteResponse{}
	for _, p := range list {
		gone, err := s.removePlatform(ctx, stored, &p)
		if err != nil {
			return nil, fmt.Errorf("failed to delete platform %s for image %s: %w", platforms.Format(p), stored.Target.Digest, err)
		}
		out = append(out, image.DeleteResponse{Deleted: gone})
	}
	return out, nil
}

// removePlatform deletes one manifest; what it alone keeps is collected later.
func (s *Service) removePlatform(ctx context.Context, stored images.Image, p *ocispec.Platform) (string, error) {
	found, err := s.pick(ctx, stored.Target, s.strict(p))
	if cerrdefs.IsNotFound(err) || err == nil && !s.strict(p).Match(found.config.Platform) {
		return "", s.noPlatform(familiarOrID(stored), p)
	}
	if err != nil {
		return "", err
	}
	return found.desc.Digest.String(), s.content.Delete(ctx, found.desc.Digest)
}

func (s *Service) noPlatform(ref string, p *ocispec.Platform) error {
	return errdefs.NotFound("image with reference %s was found but does not provide the specified platform (%s)", ref, s.platformName(p))
}

func familiarOrID(img images.Image) string {
	if isDangling(img.Name) {
		return img.Target.Digest.String()
	}
	return familiar(img.Name)
}
