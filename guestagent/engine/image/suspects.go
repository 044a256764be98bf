//go:build linux

package image

import (
	"context"
	"fmt"

	"github.com/berthhq/berth/guestagent/engine/image/progress"
	"github.com/containerd/containerd/v2/core/snapshots"
	cerrdefs "github.com/containerd/errdefs"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// dropSuspects removes the layers that a power cut may have spoilt, and what stands on them; they are unpacked again
// when they are wanted.
func (s *Service) dropSuspects(ctx context.Context) error {
	bad := map[string]bool{}
	for _, c := range s.unsynced.Suspect() {
		bad[c] = true
	}
	if len(bad) == 0 {
		return nil
	}
	ctx = s.ctx(ctx)
	parents := map[string]string{}
	err := s.sn.Walk(ctx, func(_ context.Context, info snapshots.Info) error {
		parents[info.Name] = info.Parent
		return nil
	})
	if err != nil {
		return fmt.Errorf("listing snapshots: %w", err)
	}
	spoilt := func(name string) bool {
		for ; name != ""; name = parents[name] {
			if bad[name] {
				return true
			}
		}
		return false
	}
	for len(parents) > 0 {
		leaf := s.nextLeaf(parents, spoilt)
		if leaf == "" {
			break
		}
		if err := s.sn.Remove(ctx, leaf); err != nil && !cerrdefs.IsNotFound(err) {
			return fmt.Errorf("removing layer %s, which a power cut may have spoilt: %w", leaf, err)
		}
		delete(parents, leaf)
	}
	return s.unsynced.Clear()
}

// nextLeaf finds a spoilt snapshot that no other stands on.
func (s *Service) nextLeaf(parents map[string]string, spoilt func(string) bool) string {
	isParent := map[string]bool{}
	for _, p := range parents {
		isParent[p] = true
	}
	for name := range parents {
		if !isParent[name] && spoilt(name) {
			return name
		}
	}
	return ""
}

// unpackAgain unpacks an image whose layers are gone while its content is here.
func (s *Service) unpackAgain(ctx context.Context, manifest ocispec.Descriptor) error {
	ctx = s.ctx(ctx)
	p, err := s.load(ctx, manifest)
	if err != nil {
		return err
	}
	ctx, done, err := s.lease(ctx, "unpack "+manifest.Digest.String())
	if err != nil {
		return err
	}
	defer done(true)
	return s.newLayerSet(nil, p, progress.New(nil)).run(ctx)
}
