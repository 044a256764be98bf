//go:build linux

package image

import (
	"context"
	"encoding/json"

	regclient "github.com/berthhq/berth/guestagent/engine/image/registry"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/remotes"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/registry"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// DistributionInspect asks a registry what a reference points at, without fetching layers or keeping anything.
func (s *Service) DistributionInspect(ctx context.Context, ref string, auth *registry.AuthConfig) (registry.DistributionInspect, error) {
	named, err := parseRef(ref)
	if err != nil {
		return registry.DistributionInspect{}, err
	}
	access := regclient.Access{
		Ref: reference.FamiliarString(named), Repository: reference.FamiliarName(named), LoggedIn: regclient.HasCredentials(auth),
	}
	out, err := s.inspectRemote(s.ctx(ctx), named, access.Ref, s.registry.Resolver(ctx, reference.Domain(named), auth))
	return out, regclient.Translate(err, access)
}

func (s *Service) inspectRemote(ctx context.Context, named reference.Named, ref string, r remotes.Resolver) (out registry.DistributionInspect, err error) {
	_, desc, err := r.Resolve(ctx, named.String())
	if cerrdefs.IsNotImplemented(err) {
		return out, schema1(ref)
	}
	if err != nil {
		return out, err
	}
	if err := checkType(ref, desc); err != nil {
		return out, err
	}
	out.Descriptor = ocispec.Descriptor{MediaType: desc.MediaType, Digest: desc.Digest, Size: desc.Size}
	f, err := r.Fetcher(ctx, named.String())
	if err != nil {
		return out, err
	}
	if images.IsIndexType(desc.MediaType) {
		var idx ocispec.Index
		if err := s.fetchJSON(ctx, f, desc, &idx); err != nil {
			return out, err
		}
		for _, d := range idx.Manifests {
			if d.Platform != nil {
				out.Platforms = append(out.Platforms, *d.Platform)
			}
		}
		return out, nil
	}
	var m ocispec.Manifest
	if err := s.fetchJSON(ctx, f, desc, &m); err != nil {
		return out, err
	}
	if err := checkManifest(&m); err != nil {
		return out, err
	}
	var platform ocispec.Platform
	if err := s.fetchJSON(ctx, f, m.Config, &platform); err != nil {
		return out, err
	}
	out.Platforms = []ocispec.Platform{platform}
	return out, nil
}

// fetchJSON reads a small document from a registry into memory only.
func (s *Service) fetchJSON(ctx context.Context, f remotes.Fetcher, desc ocispec.Descriptor, v any) error {
	b, err := s.readSmall(ctx, f, desc)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return errdefs.Invalid("%s %s is not valid JSON: %w", kindOf(desc), desc.Digest, err)
	}
	return nil
}
