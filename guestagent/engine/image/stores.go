//go:build linux

package image

import (
	"context"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/pkg/gc"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Stores are what the service keeps images in, for those who make images by other means than its own. All of it wants
// Namespace in the context. They stay the service's: nobody else closes them.
type Stores struct {
	Namespace      string
	SnapshotterKey string // how garbage collection labels call the snapshotter
	Content        content.Store
	Snapshotter    snapshots.Snapshotter
	Images         images.Store
	Leases         leases.Manager
	Collect        func(context.Context) (gc.Stats, error)
	Hosts          docker.RegistryHosts // the registries as the service reaches them, without anybody's credentials
}

// Stores gives access to the stores.
func (s *Service) Stores() Stores {
	return Stores{
		Namespace: namespace, SnapshotterKey: s.driver,
		Content: s.content, Snapshotter: s.sn, Images: s.images, Leases: s.leases, Collect: s.db.GarbageCollect,
		Hosts: s.registry.Hosts(context.Background(), "", nil),
	}
}

// Lookup finds what a reference or an ID of a local image points at, as Resolve does. Errors: NotFound.
func (s *Service) Lookup(ctx context.Context, ref string) (ocispec.Descriptor, error) {
	stored, err := s.find(s.ctx(ctx), ref)
	return stored.Target, err
}
