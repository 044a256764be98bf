//go:build linux

package build

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/build/classic"
	"github.com/berthhq/berth/guestagent/engine/build/sandbox"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/jsonstream"
	apinet "github.com/moby/moby/api/types/network"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// classic builds for a client that knows the classic builder alone. Images that the Dockerfile stands on are pulled as
// by `docker pull`, and are the engine's images from then on.
func (b *Builder) classic(ctx context.Context, k *kit, r *Request, w io.Writer) (_ string, err error) {
	c, err := b.context(ctx, r)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	plan, err := classic.Parse(c.dockerfile, classic.Options{Target: r.Target, Args: r.Args, Labels: r.Labels, Platform: r.Platform})
	if err != nil {
		return "", err
	}
	r.NoCache = r.NoCache || b.nothingFrom(ctx, r.CacheFrom)
	r.Dockerfile, r.CacheFrom = c.name, nil // what the classic builder takes from images, the cache has
	if userNetwork(r.NetworkMode) {
		r.CgroupParent, r.NetworkMode = sandbox.OnNetwork(r.CgroupParent, r.NetworkMode), ""
	}
	req, err := b.request(r)
	if err != nil {
		return "", err
	}
	past := b.past
	if r.NoCache {
		past = nil
	}
	p := classic.NewPrinter(plan, r.KeepContainers, past, w)
	if err := p.Announce(); err != nil {
		return "", err
	}
	if plan.Empty {
		return "", errors.Join(p.Finish(""), &jsonstream.Error{Message: "No image was generated. Is your Dockerfile empty?"})
	}
	if err := b.bases(ctx, plan, p, r, w); err != nil {
		return "", err
	}
	req.FrontendAttrs["image-resolve-mode"] = "local"
	req.Internal = true // no record for `buildx history`, which lists BuildKit's builds
	s, err := k.openSession(ctx, strings.Join(append([]string{c.key, c.name}, r.Tags...), "\n"), c.root.Name(), r.Auth)
	if err != nil {
		return "", errdefs.System("the build's session: %w", err)
	}
	defer s.end()
	req.Session = s.ID()
	id, err := k.solve(ctx, req, p.Update)
	if err != nil {
		return "", p.Failure(err)
	}
	return id, b.finish(p, r, id)
}

// nothingFrom tells that the cache is to be that of images of which none is here: then there is none.
func (b *Builder) nothingFrom(ctx context.Context, images []string) bool {
	return len(images) > 0 && !slices.ContainsFunc(images, func(name string) bool {
		_, err := b.o.Images.Resolve(ctx, name, nil)
		return err == nil
	})
}

// userNetwork tells that commands are to run on a network that somebody made.
func userNetwork(mode string) bool {
	switch mode {
	case "", apinet.NetworkDefault, apinet.NetworkBridge, apinet.NetworkHost, apinet.NetworkNone:
		return false
	}
	return !strings.HasPrefix(mode, "container:")
}

// finish ends the account of a build.
func (b *Builder) finish(p *classic.Printer, r *Request, id string) error {
	if err := p.Finish(id); err != nil || id == "" {
		return err
	}
	for _, t := range r.Tags {
		named, err := reference.ParseNormalizedNamed(t)
		if err != nil {
			return errdefs.Invalid("%w", err)
		}
		if err := p.Tagged(reference.FamiliarString(named)); err != nil {
			return err
		}
	}
	return nil
}

// bases brings the images that a build stands on here.
func (b *Builder) bases(ctx context.Context, plan *classic.Plan, p *classic.Printer, r *Request, w io.Writer) error {
	for _, base := range plan.Bases {
		named, err := reference.ParseNormalizedNamed(base.Name)
		if err != nil {
			return errdefs.Invalid("invalid reference format: %w", err)
		}
		named = reference.TagNameOnly(named)
		platform, err := basePlatform(base, r)
		if err != nil {
			return err
		}
		img, err := b.o.Images.Resolve(ctx, base.Name, platform)
		if err != nil || r.Pull && !byID.MatchString(named.String()) {
			if err := b.o.Images.ImagePull(ctx, named.String(), platform, authFor(r.Auth, reference.Domain(named)), w); err != nil {
				return err
			}
			if img, err = b.o.Images.Resolve(ctx, named.String(), platform); err != nil {
				return err
			}
		}
		p.Base(base.Name, img.ID, img.Config.Config.OnBuild)
	}
	return nil
}

// basePlatform is the platform that an image is wanted for; nil is this machine's.
func basePlatform(base classic.Base, r *Request) (*ocispec.Platform, error) {
	name := base.Platform
	if name == "" {
		name = r.Platform
	}
	if name == "" {
		return nil, nil
	}
	p, err := platforms.Parse(name)
	if err != nil {
		return nil, errdefs.Invalid("%w", err)
	}
	return &p, nil
}
