//go:build linux

package image

import (
	"context"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/snapshots"
)

func snapshotsOf(t testing.TB, s *Service, prefix string) []string {
	t.Helper()
	var names []string
	err := s.sn.Walk(s.ctx(context.Background()), func(_ context.Context, info snapshots.Info) error {
		if strings.HasPrefix(info.Name, prefix) {
			names = append(names, info.Name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// labelsOf are the labels of everything in the store.
func labelsOf(t testing.TB, s *Service) []map[string]string {
	t.Helper()
	ctx := s.ctx(context.Background())
	var all []map[string]string
	err := s.content.Walk(ctx, func(info content.Info) error {
		all = append(all, info.Labels)
		return nil
	})
	if err == nil {
		err = s.sn.Walk(ctx, func(_ context.Context, info snapshots.Info) error {
			all = append(all, info.Labels)
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}
