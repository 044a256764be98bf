//go:build linux

package image

import (
	"context"
	"fmt"
	"io"
	"net"

	"github.com/berthhq/berth/guestagent/engine/image/progress"
	regclient "github.com/berthhq/berth/guestagent/engine/image/registry"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/pkg/labels"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/registry"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// ImagePull brings an image in from its registry, unpacked, for a platform or this machine's where it is nil. Progress
// goes to w in docker's form. It returns when the image can be run. What a failed pull fetched is kept for a day, so
// that the next one resumes.
func (s *Service) ImagePull(ctx context.Context, ref string, platform *ocispec.Platform, auth *registry.AuthConfig, w io.Writer) error {
	named, err := parseRef(ref)
	if err != nil {
		return err
	}
	p := &pull{
		s: s, named: named, platform: platform, out: progress.New(w),
		access: regclient.Access{
			Ref: reference.FamiliarString(named), Repository: reference.FamiliarName(named), LoggedIn: regclient.HasCredentials(auth),
		},
	}
	p.resolver = s.registry.Resolver(ctx, reference.Domain(named), auth)
	return regclient.Translate(p.run(s.ctx(ctx)), p.access)
}

// ImagePullAll is ImagePull for every tag that the registry has of a repository; pulled is told of each.
func (s *Service) ImagePullAll(ctx context.Context, repo reference.Named, platform *ocispec.Platform, auth *registry.AuthConfig, w io.Writer, pulled func(ref string)) error {
	tags, err := s.registry.Tags(ctx, repo, auth)
	if err != nil {
		return err
	}
	for _, t := range tags {
		named, err := reference.WithTag(repo, t)
		if err != nil {
			return errdefs.Invalid("%w", err)
		}
		if err := s.ImagePull(ctx, named.String(), platform, auth, w); err != nil {
			return err
		}
		pulled(named.String())
	}
	return nil
}

// pull is one pull under way.
type pull struct {
	s        *Service
	named    reference.Named
	platform *ocispec.Platform
	access   regclient.Access
	resolver remotes.Resolver
	fetcher  remotes.Fetcher
	out      *progress.Writer
}

func (p *pull) run(ctx context.Context) (err error) {
	_, target, err := p.resolver.Resolve(ctx, p.named.String())
	if cerrdefs.IsNotImplemented(err) {
		return schema1(p.access.Ref)
	}
	if err != nil {
		return err
	}
	p.out.Line(tagOf(p.named), "Pulling from "+reference.Path(p.named))
	if err := checkType(p.access.Ref, target); err != nil {
		return err
	}
	target = ocispec.Descriptor{MediaType: target.MediaType, Digest: target.Digest, Size: target.Size}
	if !p.s.complete(ctx, p.named.String(), target, p.platform) {
		ctx, done, err := p.s.lease(ctx, "pull "+p.named.String())
		if err != nil {
			return err
		}
		err = p.fetchAll(ctx, target)
		done(err == nil)
		if err != nil {
			return err
		}
	} else {
		p.report(target, false)
	}
	return nil
}

// fetchAll brings in everything of one platform and then gives it its name.
func (p *pull) fetchAll(ctx context.Context, target ocispec.Descriptor) (err error) {
	if p.fetcher, err = p.resolver.Fetcher(ctx, p.named.String()); err != nil {
		return err
	}
	img, err := p.fetchManifests(ctx, target)
	if err != nil {
		return err
	}
	if err := p.s.newLayerSet(p.fetcher, img, p.out).run(ctx); err != nil {
		return err
	}
	if err := p.s.markSource(ctx, img, p.named); err != nil {
		return err
	}
	changed, err := p.s.setName(ctx, p.named.String(), target)
	if err != nil {
		return err
	}
	p.report(target, changed)
	return nil
}

// fetchManifests brings in the documents from the index down to the configuration.
func (p *pull) fetchManifests(ctx context.Context, target ocispec.Descriptor) (*parts, error) {
	if err := p.s.fetchSmall(ctx, p.fetcher, target); err != nil {
		return nil, err
	}
	desc := target
	if images.IsIndexType(target.MediaType) {
		fit, err := p.s.manifests(ctx, target, p.s.matcher(p.platform))
		if err != nil {
			return nil, err
		}
		if len(fit) == 0 {
			return nil, errdefs.NotFound("no matching manifest for %s in the manifest list entries", p.s.platformName(p.platform))
		}
		desc = fit[0]
		if err := checkType(p.access.Ref, desc); err != nil {
			return nil, err
		}
		if err := p.s.linkManifests(ctx, target, fit[:1]); err != nil {
			return nil, err
		}
		if err := p.s.fetchSmall(ctx, p.fetcher, desc); err != nil {
			return nil, err
		}
	}
	var m ocispec.Manifest
	if err := p.s.readJSON(ctx, desc, maxManifestBytes, &m); err != nil {
		return nil, err
	}
	if err := checkManifest(&m); err != nil {
		return nil, err
	}
	if err := p.s.fetchSmall(ctx, p.fetcher, m.Config); err != nil {
		return nil, err
	}
	img, err := p.s.load(ctx, desc)
	if err != nil {
		return nil, err
	}
	if err := p.checkPlatform(img); err != nil {
		return nil, err
	}
	return img, p.s.linkImage(ctx, img)
}

// checkPlatform refuses what was asked for by platform and is for another, and what no Linux can run.
func (p *pull) checkPlatform(img *parts) error {
	have := platforms.Normalize(img.config.Platform)
	if have.OS != "" && have.OS != "linux" {
		return errdefs.Invalid("image operating system %q cannot be used on this platform", have.OS)
	}
	if p.platform != nil && !p.s.matcher(p.platform).Match(have) {
		return errdefs.NotFound("image with reference %s was found but its platform (%s) does not match the specified platform (%s)",
			p.access.Ref, platforms.Format(have), p.s.platformName(p.platform))
	}
	return nil
}

func (p *pull) report(target ocispec.Descriptor, changed bool) {
	p.out.Line("", "Digest: "+target.Digest.String())
	if changed {
		p.out.Line("", "Status: Downloaded newer image for "+p.access.Ref)
	} else {
		p.out.Line("", "Status: Image is up to date for "+p.access.Ref)
	}
}

// complete tells whether a name already points at target with everything of the platform fetched and unpacked.
func (s *Service) complete(ctx context.Context, name string, target ocispec.Descriptor, platform *ocispec.Platform) bool {
	stored, err := s.images.Get(ctx, name)
	if err != nil || stored.Target.Digest != target.Digest {
		return false
	}
	list, err := s.manifests(ctx, target, s.matcher(platform))
	if err != nil || len(list) == 0 {
		return false
	}
	img, err := s.load(ctx, list[0])
	if err != nil || platform != nil && !s.matcher(platform).Match(img.config.Platform) {
		return false
	}
	for _, l := range img.manifest.Layers {
		if !s.present(ctx, l) {
			return false
		}
	}
	if img.chainID() == "" {
		return true
	}
	_, err = s.sn.Stat(ctx, img.chainID())
	return err == nil
}

// hostname is a registry's name without its port.
func hostname(domain string) string {
	if h, _, err := net.SplitHostPort(domain); err == nil {
		return h
	}
	return domain
}

// markSource notes on each layer which repository has it, so that a push to the same registry need not send it.
func (s *Service) markSource(ctx context.Context, img *parts, named reference.Named) error {
	for _, l := range append([]ocispec.Descriptor{img.manifest.Config}, img.manifest.Layers...) {
		if err := s.noteSource(ctx, named, l); err != nil {
			return err
		}
	}
	return nil
}

// noteSource is markSource for one blob.
func (s *Service) noteSource(ctx context.Context, named reference.Named, blob ocispec.Descriptor) error {
	key := labels.LabelDistributionSource + "." + hostname(reference.Domain(named))
	info, err := s.content.Info(ctx, blob.Digest)
	if err != nil {
		return fmt.Errorf("layer %s: %w", blob.Digest, err)
	}
	value := addSource(info.Labels[key], reference.Path(named))
	if value == info.Labels[key] {
		return nil
	}
	info.Labels = map[string]string{key: value}
	if _, err := s.content.Update(ctx, info, "labels."+key); err != nil && !cerrdefs.IsNotFound(err) {
		return fmt.Errorf("layer %s: %w", blob.Digest, err)
	}
	return nil
}
