//go:build linux

package engine

import (
	"context"

	"github.com/berthhq/berth/guestagent/engine/api"
	"github.com/berthhq/berth/guestagent/engine/volume"
	apivolume "github.com/moby/moby/api/types/volume"
)

// volumeBackend is named volumes.
type volumeBackend struct{ s *volume.Service }

func (b volumeBackend) VolumeCreate(ctx context.Context, req *apivolume.CreateRequest) (*apivolume.Volume, error) {
	return b.s.Create(ctx, req)
}

func (b volumeBackend) VolumeList(ctx context.Context, f api.Filters) (apivolume.ListResponse, error) {
	return b.s.List(ctx, f)
}

func (b volumeBackend) VolumeInspect(ctx context.Context, name string) (*apivolume.Volume, error) {
	return b.s.Inspect(ctx, name)
}

func (b volumeBackend) VolumeRemove(ctx context.Context, name string, force bool) error {
	return b.s.Remove(ctx, name, force)
}

func (b volumeBackend) VolumePrune(ctx context.Context, f api.Filters) (apivolume.PruneReport, error) {
	return b.s.Prune(ctx, f)
}
