//go:build linux

package image

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/images"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Resolve finds a local image by name, digest, ID or short ID, for a platform or this machine's where it is nil. The
// answer is a copy of the caller's own; the maps and slices in its configuration are shared and must not be changed.
// Errors: NotFound "No such image: x:latest", or that the image is not here for the platform; Invalid for an
// ambiguous short ID.
func (s *Service) Resolve(ctx context.Context, ref string, platform *ocispec.Platform) (*Image, error) {
	key := ref
	if platform != nil {
		key += "\x00" + platforms.FormatAll(*platform)
	}
	img, gen := s.resolved.get(key)
	if img != nil {
		return img, nil
	}
	ctx = s.ctx(ctx)
	found, err := s.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	img, err = s.view(ctx, found, ref, platform)
	if err != nil {
		return nil, err
	}
	s.resolved.put(key, gen, img)
	return img, nil
}

// view reads what Resolve tells of a stored image.
func (s *Service) view(ctx context.Context, stored images.Image, ref string, platform *ocispec.Platform) (*Image, error) {
	p, err := s.pick(ctx, stored.Target, s.matcher(platform))
	if err == nil && platform != nil && !s.matcher(platform).Match(p.config.Platform) {
		return nil, errdefs.NotFound("image with reference %s was found but its platform (%s) does not match the specified platform (%s)",
			ref, platforms.Format(platforms.Normalize(p.config.Platform)), s.platformName(platform))
	}
	if cerrdefs.IsNotFound(err) {
		if platform == nil {
			// Pulled for another platform on purpose: it is the only one there is.
			p, err = s.pick(ctx, stored.Target, platforms.All)
		}
		if cerrdefs.IsNotFound(err) {
			return nil, errdefs.NotFound("image with reference %s was found but does not provide the specified platform (%s)", ref, s.platformName(platform))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", ref, err)
	}
	of := p.config.Platform
	p.desc.Platform = &of
	name := familiar(stored.Name)
	if name == "" || byID(ref) && !strings.Contains(name, ref) {
		name = stored.Target.Digest.String()
	}
	return &Image{
		ID: stored.Target.Digest.String(), Ref: name, Manifest: p.desc, Config: p.config, ChainID: p.chainID(),
	}, nil
}

func byID(ref string) bool { return shortID.MatchString(ref) }

// find looks a stored image up as docker does: by full ID, by name, by short ID.
func (s *Service) find(ctx context.Context, ref string) (images.Image, error) {
	if byID(ref) && strings.HasPrefix(ref, "sha256:") {
		return s.findID(ctx, ref, ref)
	}
	missing := func() error { return errdefs.NotFound("No such image: %s", withTag(ref)) }
	named, err := parseRef(ref)
	if err == nil {
		img, err := s.images.Get(ctx, named.String())
		if err == nil {
			return img, nil
		}
		if !cerrdefs.IsNotFound(err) {
			return images.Image{}, fmt.Errorf("image %s: %w", ref, err)
		}
		if d, ok := named.(reference.Digested); ok {
			return s.findDigested(ctx, named, d.Digest().String(), missing)
		}
	}
	if byID(ref) {
		img, err2 := s.findID(ctx, ref, withTag(ref))
		if err2 == nil || !cerrdefs.IsNotFound(err2) {
			return img, err2
		}
	}
	if err != nil {
		return images.Image{}, err
	}
	return images.Image{}, missing()
}

// findDigested finds name@digest among the images that have another name in the same repository.
func (s *Service) findDigested(ctx context.Context, named reference.Named, dgst string, missing func() error) (images.Image, error) {
	list, err := s.images.List(ctx, `target.digest=="`+dgst+`"`)
	if err != nil {
		return images.Image{}, err
	}
	for _, img := range list {
		other, err := reference.ParseNormalizedNamed(img.Name)
		if err == nil && other.Name() == named.Name() {
			return img, nil
		}
	}
	return images.Image{}, missing()
}

// findID finds an image by the beginning of its ID; several names of one image are no ambiguity, and the one that
// sorts first is taken.
func (s *Service) findID(ctx context.Context, prefix, shown string) (images.Image, error) {
	prefix = strings.TrimPrefix(prefix, "sha256:")
	filter := `target.digest=="sha256:` + prefix + `"`
	if len(prefix) < 64 {
		filter = `target.digest~="^sha256:` + prefix + `"`
	}
	list, err := s.images.List(ctx, filter)
	switch {
	case err != nil:
		return images.Image{}, fmt.Errorf("image %s: %w", shown, err)
	case len(list) == 0:
		return images.Image{}, errdefs.NotFound("No such image: %s", shown)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	for _, img := range list[1:] {
		if img.Target.Digest != list[0].Target.Digest {
			return images.Image{}, errdefs.Invalid("ambiguous reference: %s matches more than one image ID", shown)
		}
	}
	for _, img := range list {
		if !isDangling(img.Name) {
			return img, nil
		}
	}
	return list[0], nil
}

// withTag is a reference as docker names it in an error: with the tag it stands for.
func withTag(ref string) string {
	named, err := parseRef(ref)
	if err != nil {
		return ref
	}
	return reference.FamiliarString(named)
}
