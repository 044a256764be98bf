//go:build linux

package image

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/platforms"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/image-spec/identity"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Bounds of what an image may make the engine read into memory or do.
const (
	maxManifestBytes = 4 << 20
	maxConfigBytes   = 8 << 20
	maxLayers        = 450 // the kernel stacks at most 500 overlay layers
	maxIndexEntries  = 4096
)

// readJSON reads a document from the content store, refusing one larger than limit before reading it.
func (s *Service) readJSON(ctx context.Context, desc ocispec.Descriptor, limit int64, v any) error {
	info, err := s.content.Info(ctx, desc.Digest)
	if err != nil {
		return err
	}
	if info.Size > limit {
		return errdefs.Invalid("%s %s is %d bytes, more than the %d that are allowed", kindOf(desc), desc.Digest, info.Size, limit)
	}
	b, err := content.ReadBlob(ctx, s.content, desc)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return errdefs.Invalid("%s %s is not valid JSON: %w", kindOf(desc), desc.Digest, err)
	}
	return nil
}

func kindOf(desc ocispec.Descriptor) string {
	switch {
	case images.IsIndexType(desc.MediaType):
		return "image index"
	case images.IsManifestType(desc.MediaType):
		return "image manifest"
	case images.IsLayerType(desc.MediaType):
		return "layer"
	}
	return "image configuration"
}

// checkType refuses what is no image of a form that is known, schema 1 with its own sentence.
func checkType(ref string, desc ocispec.Descriptor) error {
	switch {
	case images.IsIndexType(desc.MediaType), images.IsManifestType(desc.MediaType):
	case desc.MediaType == images.MediaTypeDockerSchema1Manifest, desc.MediaType == "application/vnd.docker.distribution.manifest.v1+json":
		return schema1(ref)
	default:
		return errdefs.Invalid("%s is not an image: unsupported media type %q", ref, desc.MediaType)
	}
	if desc.Size <= 0 || desc.Size > maxManifestBytes {
		return errdefs.Invalid("%s %s of %s has a size of %d bytes, which is not allowed", kindOf(desc), desc.Digest, ref, desc.Size)
	}
	return nil
}

func schema1(ref string) error {
	return errdefs.Invalid("Docker Image Format v1 and Docker Image manifest version 2, schema 1 support has been removed. "+
		"Ask the author of %s to upgrade the image to the OCI format or Docker Image manifest v2, schema 2", ref)
}

// candidates lists the manifests of an index that fit the platform, best first; attestations are no images.
func candidates(idx *ocispec.Index, m platforms.MatchComparer) []ocispec.Descriptor {
	var fit []ocispec.Descriptor
	for _, d := range idx.Manifests {
		if d.Annotations["vnd.docker.reference.type"] == "attestation-manifest" {
			continue
		}
		if d.Platform == nil || m.Match(*d.Platform) {
			fit = append(fit, d)
		}
	}
	sort.SliceStable(fit, func(i, j int) bool {
		switch {
		case fit[i].Platform == nil:
			return false
		case fit[j].Platform == nil:
			return true
		}
		return m.Less(*fit[i].Platform, *fit[j].Platform)
	})
	return fit
}

// parts is an image's manifest and configuration, checked against each other.
type parts struct {
	desc     ocispec.Descriptor
	manifest ocispec.Manifest
	config   dockerspec.DockerOCIImage
}

// chainID names the snapshot of all layers; "" for an image without layers.
func (p *parts) chainID() string {
	if len(p.config.RootFS.DiffIDs) == 0 {
		return ""
	}
	return identity.ChainID(p.config.RootFS.DiffIDs).String()
}

// checkManifest bounds what a manifest may ask for. Alternative addresses in descriptors are dropped: an image must
// not make the engine fetch from wherever it likes.
func checkManifest(m *ocispec.Manifest) error {
	if len(m.Layers) > maxLayers {
		return errdefs.Invalid("image has %d layers, more than the %d that are allowed (max depth exceeded)", len(m.Layers), maxLayers)
	}
	if m.Config.Size <= 0 || m.Config.Size > maxConfigBytes {
		return errdefs.Invalid("image configuration %s has a size of %d bytes, which is not allowed", m.Config.Digest, m.Config.Size)
	}
	if err := m.Config.Digest.Validate(); err != nil {
		return errdefs.Invalid("image configuration has an invalid digest %q", m.Config.Digest)
	}
	m.Config.URLs = nil
	for i := range m.Layers {
		l := &m.Layers[i]
		if err := l.Digest.Validate(); err != nil {
			return errdefs.Invalid("layer %d has an invalid digest %q", i, l.Digest)
		}
		if l.Size <= 0 {
			return errdefs.Invalid("layer %s has a size of %d bytes, which is not allowed", l.Digest, l.Size)
		}
		l.URLs = nil
	}
	return nil
}

// checkConfig makes sure that the configuration describes the manifest's layers.
func checkConfig(m *ocispec.Manifest, c *dockerspec.DockerOCIImage) error {
	if t := c.RootFS.Type; t != "" && t != "layers" {
		return errdefs.Invalid("image configuration %s has an unknown rootfs type %q", m.Config.Digest, t)
	}
	if len(c.RootFS.DiffIDs) != len(m.Layers) {
		return errdefs.Invalid("image configuration %s names %d layers and the manifest %d", m.Config.Digest, len(c.RootFS.DiffIDs), len(m.Layers))
	}
	for _, d := range c.RootFS.DiffIDs {
		if err := d.Validate(); err != nil {
			return errdefs.Invalid("image configuration %s has an invalid layer digest %q", m.Config.Digest, d)
		}
	}
	return nil
}

// load reads manifest and configuration of one platform's manifest from the store.
func (s *Service) load(ctx context.Context, desc ocispec.Descriptor) (*parts, error) {
	p := &parts{desc: desc}
	if err := s.readJSON(ctx, desc, maxManifestBytes, &p.manifest); err != nil {
		return nil, err
	}
	if err := checkManifest(&p.manifest); err != nil {
		return nil, err
	}
	if err := s.readJSON(ctx, p.manifest.Config, maxConfigBytes, &p.config); err != nil {
		return nil, err
	}
	if err := checkConfig(&p.manifest, &p.config); err != nil {
		return nil, err
	}
	return p, nil
}

// manifests lists the manifests below a target that fit the platform, best first. Those whose content is not here are
// part of the list.
func (s *Service) manifests(ctx context.Context, target ocispec.Descriptor, m platforms.MatchComparer) ([]ocispec.Descriptor, error) {
	if !images.IsIndexType(target.MediaType) {
		return []ocispec.Descriptor{target}, nil
	}
	var idx ocispec.Index
	if err := s.readJSON(ctx, target, maxManifestBytes, &idx); err != nil {
		return nil, err
	}
	if len(idx.Manifests) > maxIndexEntries {
		return nil, errdefs.Invalid("image index %s has %d entries, more than the %d that are allowed", target.Digest, len(idx.Manifests), maxIndexEntries)
	}
	fit := candidates(&idx, m)
	for _, d := range fit {
		if images.IsIndexType(d.MediaType) {
			return nil, errdefs.Invalid("image index %s contains another index", target.Digest)
		}
	}
	return fit, nil
}

// present tells whether a blob is in the content store.
func (s *Service) present(ctx context.Context, desc ocispec.Descriptor) bool {
	_, err := s.content.Info(ctx, desc.Digest)
	return err == nil
}

// pick finds the best manifest of a local image whose manifest and configuration are here.
func (s *Service) pick(ctx context.Context, target ocispec.Descriptor, m platforms.MatchComparer) (*parts, error) {
	list, err := s.manifests(ctx, target, m)
	if err != nil {
		return nil, err
	}
	for _, d := range list {
		if !s.present(ctx, d) {
			continue
		}
		p, err := s.load(ctx, d)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", target.Digest, err)
		}
		if m.Match(p.config.Platform) || len(list) == 1 {
			return p, nil
		}
	}
	return nil, errdefs.NotFound("no manifest of image %s is here for that platform", target.Digest)
}
