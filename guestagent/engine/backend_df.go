//go:build linux

package engine

import (
	"context"

	"github.com/berthhq/berth/guestagent/engine/api"
	"github.com/berthhq/berth/guestagent/engine/container"
	"github.com/berthhq/berth/guestagent/engine/image"
	apicontainer "github.com/moby/moby/api/types/container"
	apiimage "github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/api/types/volume"
)

func imageListAll() image.ListOptions { return image.ListOptions{All: true, SharedSize: true} }

// DiskUsage measures what is selected; nothing selected is everything.
func (b systemBackend) DiskUsage(ctx context.Context, o api.DiskUsageOptions) (*system.DiskUsage, error) {
	all := !o.Containers && !o.Images && !o.Volumes && !o.BuildCache
	out := &system.DiskUsage{}
	var err error
	if all || o.Images {
		if out.ImageUsage, err = b.imageUsage(ctx); err != nil {
			return nil, err
		}
	}
	if all || o.Containers {
		if out.ContainerUsage, err = b.containerUsage(ctx); err != nil {
			return nil, err
		}
	}
	if all || o.Volumes {
		if out.VolumeUsage, err = b.volumeUsage(ctx); err != nil {
			return nil, err
		}
	}
	if all || o.BuildCache {
		if out.BuildCacheUsage, err = b.cacheUsage(ctx); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (b systemBackend) imageUsage(ctx context.Context) (*apiimage.DiskUsage, error) {
	items, err := b.e.images.ImageList(ctx, imageListAll())
	if err != nil {
		return nil, err
	}
	total, err := b.e.images.DiskUsage(ctx)
	if err != nil {
		return nil, err
	}
	du := &apiimage.DiskUsage{Items: items, TotalCount: int64(len(items)), TotalSize: total}
	used := int64(0)
	for i := range items {
		if n := len(b.e.containers.Users(items[i].ID)); n > 0 {
			items[i].Containers = int64(n)
			du.ActiveCount++
			used += items[i].Size
		} else {
			items[i].Containers = 0
		}
	}
	du.Reclaimable = max(total-used, 0)
	return du, nil
}

func (b systemBackend) containerUsage(ctx context.Context) (*apicontainer.DiskUsage, error) {
	items, err := b.e.containers.ContainerList(ctx, container.ListOptions{All: true, Size: true})
	if err != nil {
		return nil, err
	}
	du := &apicontainer.DiskUsage{Items: items, TotalCount: int64(len(items))}
	for i := range items {
		du.TotalSize += items[i].SizeRw
		switch items[i].State {
		case apicontainer.StateRunning, apicontainer.StatePaused, apicontainer.StateRestarting:
			du.ActiveCount++
		default:
			du.Reclaimable += items[i].SizeRw
		}
	}
	return du, nil
}

func (b systemBackend) volumeUsage(ctx context.Context) (*volume.DiskUsage, error) {
	items, err := b.e.volumes.Usage(ctx)
	if err != nil {
		return nil, err
	}
	du := &volume.DiskUsage{Items: items, TotalCount: int64(len(items))}
	for i := range items {
		u := items[i].UsageData
		du.TotalSize += u.Size
		if u.RefCount > 0 {
			du.ActiveCount++
		} else {
			du.Reclaimable += u.Size
		}
	}
	return du, nil
}
