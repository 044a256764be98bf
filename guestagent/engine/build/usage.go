//go:build linux

package build

import (
	"context"
	"os"
	"path/filepath"

	"github.com/berthhq/berth/internal/errdefs"
	controlapi "github.com/moby/buildkit/api/services/control"
	"github.com/moby/moby/api/types/build"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Usage lists the build cache. Where nothing was ever built it opens nothing.
func (b *Builder) Usage(ctx context.Context) ([]build.CacheRecord, error) {
	if !b.used() {
		return []build.CacheRecord{}, nil
	}
	k, done, err := b.open(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	resp, err := k.controller.DiskUsage(ctx, &controlapi.DiskUsageRequest{})
	if err != nil {
		return nil, errdefs.System("measuring the build cache: %w", err)
	}
	out := make([]build.CacheRecord, 0, len(resp.Record))
	for _, r := range resp.Record {
		rec := build.CacheRecord{
			ID: r.ID, Parents: r.Parents, Type: r.RecordType, Description: r.Description, InUse: r.InUse, Shared: r.Shared,
			Size: r.Size, UsageCount: int(r.UsageCount), CreatedAt: r.CreatedAt.AsTime(),
		}
		if used := r.LastUsedAt; used != (*timestamppb.Timestamp)(nil) {
			t := used.AsTime()
			rec.LastUsedAt = &t
		}
		out = append(out, rec)
	}
	return out, nil
}

// used tells whether BuildKit was ever opened for this state directory.
func (b *Builder) used() bool {
	_, err := os.Stat(filepath.Join(b.o.Layout.Build(), "cache.db"))
	return err == nil
}
