//go:build linux

package image

import (
	"context"
	"fmt"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/images"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/storage"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// ImageInspect tells everything of one image, for a platform or this machine's where it is nil.
func (s *Service) ImageInspect(ctx context.Context, ref string, platform *ocispec.Platform, manifests bool) (*image.InspectResponse, error) {
	ctx = s.ctx(ctx)
	g, err := s.groupOf(ctx, ref, platform, s.strict(platform))
	if err != nil {
		return nil, err
	}
	target := g.target.Target
	out := &image.InspectResponse{
		ID: g.id(), RepoTags: g.tags(), RepoDigests: g.digests(), Size: g.size, Descriptor: &target,
		Metadata: image.Metadata{LastTagTime: g.target.UpdatedAt},
	}
	if p := g.parts; p != nil {
		if platform != nil {
			d, of := p.desc, p.config.Platform
			d.Platform, out.Descriptor, out.ID = &of, &d, d.Digest.String()
		}
		c := p.config.Config
		out.Author, out.Config = p.config.Author, &c
		out.Architecture, out.Variant, out.Os, out.OsVersion = p.config.Architecture, p.config.Variant, p.config.OS, p.config.OSVersion
		if p.config.Created != nil {
			out.Created = p.config.Created.Format(time.RFC3339Nano)
		}
		if n := len(p.config.History); n > 0 {
			out.Comment = p.config.History[n-1].Comment
		}
		out.RootFS.Type = "layers"
		for _, d := range p.config.RootFS.DiffIDs {
			out.RootFS.Layers = append(out.RootFS.Layers, d.String())
		}
		out.GraphDriver = &storage.DriverData{Name: s.driver}
	}
	if manifests {
		out.Manifests, err = s.manifestSummaries(ctx, target)
	}
	return out, err
}

// groupOf gathers all names of the image that ref resolves to, with what it has for a platform, one that m takes.
func (s *Service) groupOf(ctx context.Context, ref string, platform *ocispec.Platform, m platforms.MatchComparer) (*group, error) {
	stored, err := s.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	g := &group{target: stored}
	names, err := s.namesOf(ctx, stored.Target)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		if !isDangling(n.Name) {
			g.names = append(g.names, n.Name)
		}
	}
	if platform == nil {
		g.parts, err = s.best(ctx, stored)
	} else if g.parts, err = s.pick(ctx, stored.Target, m); cerrdefs.IsNotFound(err) || err == nil && !m.Match(g.parts.config.Platform) {
		return nil, s.noPlatform(ref, platform)
	}
	if err != nil && !cerrdefs.IsNotFound(err) {
		return nil, err
	}
	if g.parts != nil {
		if g.size, err = s.sizeOf(ctx, g.parts); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// ImageHistory lists the steps that made an image, newest first.
func (s *Service) ImageHistory(ctx context.Context, ref string, platform *ocispec.Platform) ([]image.HistoryResponseItem, error) {
	ctx = s.ctx(ctx)
	g, err := s.groupOf(ctx, ref, platform, s.matcher(platform))
	if err != nil {
		return nil, err
	}
	if g.parts == nil {
		return nil, errdefs.NotFound("the configuration of image %s is not here", ref)
	}
	sizes, err := s.layerSizes(ctx, g.parts)
	if err != nil {
		return nil, err
	}
	items := []image.HistoryResponseItem{}
	for _, h := range g.parts.config.History {
		item := image.HistoryResponseItem{ID: "<missing>", Comment: h.Comment, CreatedBy: h.CreatedBy}
		if h.Created != nil {
			item.Created = h.Created.Unix()
		}
		if !h.EmptyLayer {
			if len(sizes) == 0 {
				return nil, errdefs.System("unable to find the size of the layer")
			}
			item.Size, sizes = sizes[0], sizes[1:]
		}
		items = append([]image.HistoryResponseItem{item}, items...)
	}
	if len(items) > 0 {
		items[0].ID, items[0].Tags = g.id(), g.tags()
	}
	return items, nil
}

// layerSizes are the unpacked sizes of the layers, lowest first; zero for one that is not unpacked.
func (s *Service) layerSizes(ctx context.Context, p *parts) ([]int64, error) {
	ids := p.config.RootFS.DiffIDs
	sizes := make([]int64, len(ids))
	for i := range ids {
		name := identity.ChainID(ids[:i+1]).String()
		u, err := s.sn.Usage(ctx, name)
		if err != nil && !cerrdefs.IsNotFound(err) {
			return nil, fmt.Errorf("size of layer %s: %w", name, err)
		}
		sizes[i] = u.Size
	}
	return sizes, nil
}

func (s *Service) addManifests(ctx context.Context, list []image.Summary) (err error) {
	for i := range list {
		if list[i].Manifests, err = s.manifestSummaries(ctx, *list[i].Descriptor); err != nil {
			return err
		}
	}
	return nil
}

// manifestSummaries tells of each manifest of an image whether it is here and how large it is.
func (s *Service) manifestSummaries(ctx context.Context, target ocispec.Descriptor) ([]image.ManifestSummary, error) {
	list := []ocispec.Descriptor{target}
	if images.IsIndexType(target.MediaType) {
		var idx ocispec.Index
		if err := s.readJSON(ctx, target, maxManifestBytes, &idx); err != nil {
			return nil, err
		}
		list = idx.Manifests
	}
	var out []image.ManifestSummary
	for _, d := range list {
		m := image.ManifestSummary{ID: d.Digest.String(), Descriptor: d, Kind: image.ManifestKindImage}
		if d.Annotations["vnd.docker.reference.type"] == "attestation-manifest" {
			m.Kind = image.ManifestKindAttestation
			m.AttestationData = &image.AttestationProperties{For: digest.Digest(d.Annotations["vnd.docker.reference.digest"])}
			s.measure(ctx, d, &m)
			out = append(out, m)
			continue
		}
		m.ImageData = &image.ImageProperties{}
		if d.Platform != nil {
			m.ImageData.Platform = *d.Platform
		}
		s.measure(ctx, d, &m)
		if m.Available {
			if err := s.fillSummary(ctx, d, target.Digest.String(), &m); err != nil {
				return nil, err
			}
		}
		out = append(out, m)
	}
	return out, nil
}

// measure counts what is here of a manifest and of what it names, and says whether that is all.
func (s *Service) measure(ctx context.Context, d ocispec.Descriptor, m *image.ManifestSummary) {
	var doc ocispec.Manifest
	if err := s.readJSON(ctx, d, maxManifestBytes, &doc); err != nil {
		return
	}
	m.Available = true
	m.Size.Content = d.Size
	for _, b := range append(doc.Layers, doc.Config) {
		if s.present(ctx, b) {
			m.Size.Content += b.Size
		} else {
			m.Available = false
		}
	}
	m.Size.Total = m.Size.Content
}

func (s *Service) fillSummary(ctx context.Context, d ocispec.Descriptor, imageID string, m *image.ManifestSummary) error {
	p, err := s.load(ctx, d)
	if cerrdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if d.Platform == nil {
		m.ImageData.Platform = platforms.Normalize(p.config.Platform)
	}
	if p.chainID() != "" {
		if n, err := s.chainSize(ctx, p.chainID()); err == nil {
			m.ImageData.Size.Unpacked = n
		}
	}
	m.Size.Total += m.ImageData.Size.Unpacked
	m.ImageData.Containers = append(m.ImageData.Containers, s.usersOf(imageID)...)
	return nil
}
