//go:build linux

package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/image/layertar"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/pkg/archive/compression"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	maxArchiveEntries = 100_000
	dockerManifest    = "manifest.json"
)

// bundle is what lies in a tar of images: blobs go to the content store as they pass, by digest.
type bundle struct {
	s     *Service
	blobs map[string]ocispec.Descriptor // cleaned name -> digest and size; the media type is not known
	links map[string]string             // symlinks of old docker archives
	docs  map[string][]byte             // oci-layout, index.json, manifest.json
}

// readArchive brings the content of a docker archive or OCI layout into the store and lists its images. Where both
// forms are there, the OCI layout counts.
func (s *Service) readArchive(ctx context.Context, r io.Reader) ([]archived, error) {
	a := &bundle{s: s, blobs: map[string]ocispec.Descriptor{}, links: map[string]string{}, docs: map[string][]byte{}}
	if err := a.read(ctx, tar.NewReader(r)); err != nil {
		return nil, err
	}
	switch {
	case a.docs[ocispec.ImageLayoutFile] != nil:
		return a.layout(ctx)
	case a.docs[dockerManifest] != nil:
		return a.docker(ctx)
	}
	return nil, errdefs.Invalid("invalid archive: neither an OCI layout nor a docker archive (no %s, no %s)", ocispec.ImageLayoutFile, dockerManifest)
}

func (a *bundle) read(ctx context.Context, tr *tar.Reader) error {
	for n := 0; ; n++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errdefs.Invalid("invalid archive: %w", err)
		}
		if n == maxArchiveEntries {
			return errdefs.Invalid("invalid archive: more than %d entries", maxArchiveEntries)
		}
		name := path.Clean(h.Name)
		switch {
		case h.Typeflag == tar.TypeSymlink:
			a.links[name] = path.Join(path.Dir(name), h.Linkname)
		case h.Typeflag != tar.TypeReg:
		case name == ocispec.ImageLayoutFile || name == ocispec.ImageIndexFile || name == dockerManifest:
			if h.Size > maxManifestBytes {
				return errdefs.Invalid("invalid archive: %s is %d bytes", name, h.Size)
			}
			if a.docs[name], err = io.ReadAll(tr); err != nil {
				return errdefs.Invalid("invalid archive: %s: %w", name, err)
			}
		default:
			if err := a.store(ctx, name, h.Size, tr); err != nil {
				return err
			}
		}
	}
}

// store writes one file to the content store. A blob of an OCI layout must have the digest that its name says.
func (a *bundle) store(ctx context.Context, name string, size int64, r io.Reader) error {
	ref := "archive-" + randomName()
	want, err := blobDigest(name)
	if err != nil {
		return err
	}
	opts := []content.WriterOpt{content.WithRef(ref)}
	if want != "" {
		opts = append(opts, content.WithDescriptor(ocispec.Descriptor{Digest: want, Size: size}))
	}
	cw, err := content.OpenWriter(ctx, a.s.content, opts...)
	if cerrdefs.IsAlreadyExists(err) { // and held by the lease of this load
		return a.compare(name, want, size, r)
	}
	if err != nil {
		return fmt.Errorf("storing %s: %w", name, err)
	}
	defer cw.Close()
	if _, err := io.CopyBuffer(cw, layertar.OnlyReader{Reader: r}, make([]byte, layertar.ChunkBytes)); err != nil {
		_ = a.s.content.Abort(context.WithoutCancel(ctx), ref)
		return errdefs.Invalid("invalid archive: %s: %w", name, err)
	}
	got := cw.Digest()
	if want != "" && want != got {
		_ = a.s.content.Abort(ctx, ref)
		return errdefs.Invalid("invalid archive: %s has the digest %s", name, got)
	}
	if err := cw.Commit(ctx, size, got); err != nil && !cerrdefs.IsAlreadyExists(err) {
		return fmt.Errorf("storing %s: %w", name, err)
	}
	a.blobs[name] = ocispec.Descriptor{Digest: got, Size: size}
	return nil
}

// blobDigest is the digest that the name of a blob of an OCI layout gives; other names have none.
func blobDigest(name string) (digest.Digest, error) {
	enc, ok := strings.CutPrefix(name, "blobs/sha256/")
	if !ok {
		return "", nil
	}
	d := digest.NewDigestFromEncoded(digest.SHA256, enc)
	if err := d.Validate(); err != nil {
		return "", errdefs.Invalid("invalid archive: %s: %w", name, err)
	}
	return d, nil
}

// compare reads a blob that the store has already: it is not written once more, but must be what its name says.
func (a *bundle) compare(name string, want digest.Digest, size int64, r io.Reader) error {
	sum := want.Algorithm().Digester()
	if _, err := io.CopyBuffer(sum.Hash(), layertar.OnlyReader{Reader: r}, make([]byte, layertar.ChunkBytes)); err != nil {
		return errdefs.Invalid("invalid archive: %s: %w", name, err)
	}
	if got := sum.Digest(); got != want {
		return errdefs.Invalid("invalid archive: %s has the digest %s", name, got)
	}
	a.blobs[name] = ocispec.Descriptor{Digest: want, Size: size}
	return nil
}

// layout lists the images of an OCI layout.
func (a *bundle) layout(ctx context.Context) ([]archived, error) {
	var head ocispec.ImageLayout
	if err := json.Unmarshal(a.docs[ocispec.ImageLayoutFile], &head); err != nil {
		return nil, errdefs.Invalid("invalid archive: %s: %w", ocispec.ImageLayoutFile, err)
	}
	if head.Version != ocispec.ImageLayoutVersion {
		return nil, errdefs.Invalid("unsupported OCI layout version %q", head.Version)
	}
	var idx ocispec.Index
	if err := json.Unmarshal(a.docs[ocispec.ImageIndexFile], &idx); err != nil {
		return nil, errdefs.Invalid("invalid archive: %s: %w", ocispec.ImageIndexFile, err)
	}
	if len(idx.Manifests) == 0 || len(idx.Manifests) > maxIndexEntries {
		return nil, errdefs.Invalid("invalid archive: %s lists %d images", ocispec.ImageIndexFile, len(idx.Manifests))
	}
	var found []archived
	for _, d := range idx.Manifests {
		if err := checkType(d.Digest.String(), d); err != nil {
			return nil, err
		}
		if err := d.Digest.Validate(); err != nil || !a.s.present(ctx, d) {
			return nil, errdefs.Invalid("invalid archive: %s %s is missing", kindOf(d), d.Digest)
		}
		name, err := archivedName(d.Annotations)
		if err != nil {
			return nil, err
		}
		found = append(found, archived{name: name, target: ocispec.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}})
	}
	return found, nil
}

// archivedName is the name that an OCI layout gives an image; a bare tag is none.
func archivedName(annotations map[string]string) (string, error) {
	name := annotations[images.AnnotationImageName]
	if name == "" {
		name = annotations[ocispec.AnnotationRefName]
		if !strings.ContainsAny(name, "/:") {
			return "", nil
		}
	}
	tagged, err := parseTagged(name)
	if err != nil {
		return "", err
	}
	return tagged.String(), nil
}

// docker lists the images of a docker archive, making the manifests that it does not have.
func (a *bundle) docker(ctx context.Context) ([]archived, error) {
	var entries []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := json.Unmarshal(a.docs[dockerManifest], &entries); err != nil {
		return nil, errdefs.Invalid("invalid archive: %s: %w", dockerManifest, err)
	}
	var found []archived
	for _, e := range entries {
		desc, err := a.dockerImage(ctx, e.Config, e.Layers)
		if err != nil {
			return nil, err
		}
		if len(e.RepoTags) == 0 {
			found = append(found, archived{target: desc})
		}
		for _, t := range e.RepoTags {
			named, err := reference.ParseNormalizedNamed(t)
			if err != nil {
				return nil, errdefs.Invalid("invalid archive: invalid tag %q", t)
			}
			found = append(found, archived{name: reference.TagNameOnly(named).String(), target: desc})
		}
	}
	return found, nil
}

// dockerImage writes the manifest of one image of a docker archive.
func (a *bundle) dockerImage(ctx context.Context, config string, layers []string) (ocispec.Descriptor, error) {
	m := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: images.MediaTypeDockerSchema2Manifest}
	c, err := a.lookup(config)
	if err != nil {
		return c, err
	}
	c.MediaType = images.MediaTypeDockerSchema2Config
	m.Config = c
	for _, name := range layers {
		l, err := a.lookup(name)
		if err != nil {
			return l, err
		}
		if l.MediaType, err = a.layerType(ctx, l); err != nil {
			return l, err
		}
		m.Layers = append(m.Layers, l)
	}
	b, err := json.Marshal(m)
	if err != nil {
		return c, err
	}
	desc := ocispec.Descriptor{MediaType: m.MediaType, Digest: digest.FromBytes(b), Size: int64(len(b))}
	if err := content.WriteBlob(ctx, a.s.content, "archive-"+randomName(), bytes.NewReader(b), desc); err != nil {
		return desc, fmt.Errorf("storing image manifest: %w", err)
	}
	return desc, nil
}

func (a *bundle) lookup(name string) (ocispec.Descriptor, error) {
	name = path.Clean(name)
	for hops := 0; hops < 8; hops++ {
		if d, ok := a.blobs[name]; ok {
			return d, nil
		}
		to, ok := a.links[name]
		if !ok {
			break
		}
		name = to
	}
	return ocispec.Descriptor{}, errdefs.Invalid("invalid archive: %s is missing", name)
}

// layerType looks at a layer's first bytes.
func (a *bundle) layerType(ctx context.Context, d ocispec.Descriptor) (string, error) {
	ra, err := a.s.content.ReaderAt(ctx, d)
	if err != nil {
		return "", fmt.Errorf("layer %s: %w", d.Digest, err)
	}
	defer ra.Close()
	head := make([]byte, 10)
	if _, err := ra.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("layer %s: %w", d.Digest, err)
	}
	switch compression.DetectCompression(head) {
	case compression.Gzip:
		return images.MediaTypeDockerSchema2LayerGzip, nil
	case compression.Zstd:
		return images.MediaTypeDockerSchema2LayerZstd, nil
	}
	return images.MediaTypeDockerSchema2Layer, nil
}
