//go:build linux

package image

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/klauspost/compress/gzip"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/berthhq/berth/guestagent/engine/image/progress"
)

// Draft is an image to be made.
type Draft struct {
	Base    *Image                                 // whose layers it stands on; nil for none
	Layer   func(context.Context, io.Writer) error // writes one more layer as tar; nil for none
	Config  dockerspec.DockerOCIImageConfig
	History ocispec.History
	// Platform is the base's where it is empty.
	Platform ocispec.Platform
	Name     string // reference with a tag; "" leaves it without a name
}

// Make makes an image and gives its ID. Nothing of it stays where it fails. Errors: Invalid for a name that is none.
func (s *Service) Make(ctx context.Context, d Draft) (id string, err error) {
	ctx = s.ctx(ctx)
	name := ""
	if d.Name != "" {
		named, err := parseTagged(d.Name)
		if err != nil {
			return "", err
		}
		name = named.String()
	}
	ctx, done, err := s.lease(ctx, "make "+randomName())
	if err != nil {
		return "", err
	}
	defer done(true) // by its name what was made is protected; of what failed nothing is kept
	target, err := s.write(ctx, d)
	if err != nil {
		return "", fmt.Errorf("making an image: %w", err)
	}
	if err := s.loadOne(ctx, archived{name: name, target: target}, progress.New(nil)); err != nil {
		return "", err
	}
	return target.Digest.String(), nil
}

// write stores layer, configuration and manifest.
func (s *Service) write(ctx context.Context, d Draft) (ocispec.Descriptor, error) {
	none := ocispec.Descriptor{}
	m := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest}
	kinds := struct{ config, layer string }{ocispec.MediaTypeImageConfig, ocispec.MediaTypeImageLayerGzip}
	c := dockerspec.DockerOCIImage{Config: d.Config}
	c.Platform, c.RootFS.Type = d.Platform, "layers"
	if d.Base != nil {
		p, err := s.load(ctx, d.Base.Manifest)
		if err != nil {
			return none, err
		}
		if p.manifest.MediaType == images.MediaTypeDockerSchema2Manifest { // the forms are not to be mixed
			m.MediaType = p.manifest.MediaType
			kinds.config, kinds.layer = images.MediaTypeDockerSchema2Config, images.MediaTypeDockerSchema2LayerGzip
		}
		m.Layers, c.RootFS.DiffIDs, c.History = p.manifest.Layers, p.config.RootFS.DiffIDs, p.config.History
		if c.OS == "" {
			c.Platform = p.config.Platform
		}
	}
	now := time.Now().UTC()
	c.Created, c.Author = &now, d.History.Author
	h := d.History
	h.Created, h.EmptyLayer = &now, d.Layer == nil
	c.History = append(c.History[:len(c.History):len(c.History)], h)
	if d.Layer != nil {
		layer, diffID, err := s.writeLayer(ctx, d.Layer)
		if err != nil {
			return none, err
		}
		layer.MediaType = kinds.layer
		m.Layers = append(m.Layers[:len(m.Layers):len(m.Layers)], layer)
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs[:len(c.RootFS.DiffIDs):len(c.RootFS.DiffIDs)], diffID)
	}
	var err error
	if m.Config, err = s.writeJSON(ctx, kinds.config, &c); err != nil {
		return none, err
	}
	return s.writeJSON(ctx, m.MediaType, &m)
}

func (s *Service) writeJSON(ctx context.Context, mediaType string, v any) (ocispec.Descriptor, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	desc := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(b), Size: int64(len(b))}
	return desc, content.WriteBlob(ctx, s.content, "make-"+randomName(), bytes.NewReader(b), desc)
}

// writeLayer stores what a function writes, compressed, and gives its digest before that too.
func (s *Service) writeLayer(ctx context.Context, layer func(context.Context, io.Writer) error) (ocispec.Descriptor, digest.Digest, error) {
	none := ocispec.Descriptor{}
	ref := "make-" + randomName()
	cw, err := content.OpenWriter(ctx, s.content, content.WithRef(ref))
	if err != nil {
		return none, "", fmt.Errorf("storing a layer: %w", err)
	}
	defer cw.Close()
	plain := digest.Canonical.Digester()
	z := gzip.NewWriter(cw)
	if err = layer(ctx, io.MultiWriter(z, plain.Hash())); err == nil {
		err = z.Close()
	}
	var st content.Status
	if err == nil {
		st, err = cw.Status()
	}
	if err == nil {
		err = cw.Commit(ctx, st.Offset, cw.Digest())
	}
	if err != nil && !cerrdefs.IsAlreadyExists(err) {
		_ = s.content.Abort(context.WithoutCancel(ctx), ref) // what is left of it goes with the lease too
		return none, "", fmt.Errorf("storing a layer: %w", err)
	}
	return ocispec.Descriptor{Digest: cw.Digest(), Size: st.Offset}, plain.Digest(), nil
}
