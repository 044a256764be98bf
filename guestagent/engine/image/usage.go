//go:build linux

package image

import (
	"context"
	"fmt"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/snapshots"
)

// diskUse is the bytes of all content and all unpacked layers, each counted once.
func (s *Service) diskUse(ctx context.Context) (int64, error) {
	total := int64(0)
	err := s.content.Walk(ctx, func(info content.Info) error {
		total += info.Size
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("measuring image content: %w", err)
	}
	var names []string
	err = s.sn.Walk(ctx, func(_ context.Context, info snapshots.Info) error {
		if info.Kind == snapshots.KindCommitted {
			names = append(names, info.Name)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("measuring image layers: %w", err)
	}
	for _, n := range names {
		u, err := s.sn.Usage(ctx, n)
		if err != nil {
			continue // removed meanwhile
		}
		total += u.Size
	}
	return total, nil
}

// DiskUsage is the bytes that all images take together: content and unpacked layers, what is shared counted once.
func (s *Service) DiskUsage(ctx context.Context) (int64, error) { return s.diskUse(s.ctx(ctx)) }
