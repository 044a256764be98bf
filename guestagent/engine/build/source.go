//go:build linux

package build

import (
	"context"
	"regexp"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/image"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/source"
	"github.com/moby/buildkit/source/containerimage"
	"github.com/moby/buildkit/util/resolver"
)

// localFirst takes a base image that is here, and asks registries for one that is not, unless a build says otherwise.
type localFirst struct{ *containerimage.Source }

// Identifier is the original's but for the default of how an image is looked up.
func (s localFirst) Identifier(scheme, ref string, attrs map[string]string, platform *pb.Platform) (source.Identifier, error) {
	id, err := s.Source.Identifier(scheme, ref, attrs, platform)
	if img, ok := id.(*containerimage.ImageIdentifier); ok && img.ResolveMode == resolver.ResolveModeDefault {
		img.ResolveMode = resolver.ResolveModePreferLocal
	}
	return id, err
}

// imageStore is containerd's image store with the engine's namespace and docker's way of naming an image by its ID.
type imageStore struct {
	images.Store
	namespace string
	images    *image.Service
}

func (s imageStore) in(ctx context.Context) context.Context {
	return namespaces.WithNamespace(ctx, s.namespace)
}

// byID is a reference that was, as typed, an image's ID or its beginning.
var byID = regexp.MustCompile(`^docker\.io/library/(?:([0-9a-f]{4,64}):latest|sha256:([0-9a-f]{64}))$`)

// Get finds an image by its name, or by the ID that was taken for one.
func (s imageStore) Get(ctx context.Context, name string) (images.Image, error) {
	img, err := s.Store.Get(s.in(ctx), name)
	if err == nil {
		return img, nil
	}
	if id := byID.FindStringSubmatch(name); id != nil {
		digits := id[1] + id[2]
		if target, lerr := s.images.Lookup(ctx, digits); lerr == nil && strings.HasPrefix(target.Digest.Encoded(), digits) {
			return images.Image{Name: name, Target: target}, nil
		}
	}
	return images.Image{}, err
}

func (s imageStore) List(ctx context.Context, filters ...string) ([]images.Image, error) {
	return s.Store.List(s.in(ctx), filters...)
}

func (s imageStore) Create(ctx context.Context, img images.Image) (images.Image, error) {
	return s.Store.Create(s.in(ctx), img)
}

func (s imageStore) Update(ctx context.Context, img images.Image, fields ...string) (images.Image, error) {
	return s.Store.Update(s.in(ctx), img, fields...)
}

func (s imageStore) Delete(ctx context.Context, name string, opts ...images.DeleteOpt) error {
	return s.Store.Delete(s.in(ctx), name, opts...)
}
