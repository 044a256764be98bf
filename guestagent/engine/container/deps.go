//go:build linux

package container

import (
	"context"
	"io"
	"os"

	"github.com/berthhq/berth/guestagent/engine/image"
	"github.com/berthhq/berth/guestagent/engine/network"
	"github.com/berthhq/berth/guestagent/engine/runtime"
	"github.com/berthhq/berth/internal/paths"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/moby/moby/api/types/container"
	apinet "github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/volume"
	"github.com/moby/sys/user"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Images is what containers need of images (package image).
type Images interface {
	Resolve(ctx context.Context, ref string, platform *ocispec.Platform) (*image.Image, error)
	Prepare(ctx context.Context, img *image.Image, id, dir string) error
	Mounts(ctx context.Context, img *image.Image, id, dir string) ([]mount.Mount, error)
	Hold(ctx context.Context, img *image.Image, id, dir string, n int) error
	MountReadOnly(ctx context.Context, img *image.Image) (dir string, done func(), err error)
	Release(ctx context.Context, id string) error
	Usage(ctx context.Context, id, dir string) (rw, rootfs int64, err error)
	WriteDiff(ctx context.Context, img *image.Image, dir string, skip func(name string) bool, w io.Writer) error
	Make(ctx context.Context, d image.Draft) (id string, err error)
}

// Networks is what containers need of networks (package network).
type Networks interface {
	Attach(ctx context.Context, cfg network.SandboxConfig) (*network.Sandbox, error)
	Detach(ctx context.Context, containerID string) error
	Connect(ctx context.Context, containerID, net string, want *apinet.EndpointSettings, cfg network.SandboxConfig) error
	Disconnect(ctx context.Context, containerID, net string, force bool) error
	Rename(ctx context.Context, containerID, name string) error
	HoldAddresses(containerID string) (done func())
	Sandbox(containerID string) (*network.Sandbox, error)
	NetworkID(ref string) string
	Reconcile(ctx context.Context, live []string) error
}

// Volumes is what containers need of volumes (package volume).
type Volumes interface {
	Create(ctx context.Context, req *volume.CreateRequest) (*volume.Volume, error)
	Acquire(name, containerID string) error
	Release(containerID string) error
	Mount(name string) (path string, err error)
	Unmount(name string) error
	CopyUp(name, sub string, from *os.File) error
	Remove(ctx context.Context, name string, force bool) error
}

// Store keeps records (package meta).
type Store interface {
	Put(key string, r Record) error
	Delete(key string) error
	All() (map[string]Record, error)
}

// Publisher tells the world what happened (package events).
type Publisher interface {
	Publish(typ, action, id string, attrs map[string]string)
}

// Defaults are the engine's settings for containers that ask for nothing else.
type Defaults struct {
	LogConfig    container.LogConfig
	Ulimits      map[string]*container.Ulimit
	ShmSize      int64  // bytes; 0 is docker's 64 MiB
	Init         bool   // an init in every container
	InitPath     string // berth-init on this machine
	Cgroups      runtime.Cgroups
	CgroupNS     container.CgroupnsMode
	StopTimeout  int // seconds; 0 is docker's 10
	DockerSocket string
	// HostPath is where a path of the computer around this virtual machine is here; make makes a directory where nothing
	// is. nil: paths are this machine's.
	HostPath func(ctx context.Context, path string, make bool) (string, error)
	// StorageDriver is how inspect calls what layers are kept as.
	StorageDriver string
	IDs           user.IdentityMapping // of the user namespaces of containers; empty: the machine's
}

// Deps is all that a Service works with.
type Deps struct {
	Images   Images
	Networks Networks
	Volumes  Volumes
	Runtime  runtime.Runtime
	Bus      Publisher
	Durable  Store
	Volatile Store // of containers that are removed when they end
	Layout   paths.Layout
	Defaults Defaults
}
