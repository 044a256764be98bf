//go:build linux

package image

import (
	"context"
	"fmt"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	cerrdefs "github.com/containerd/errdefs"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// How the labels begin by which the garbage collector walks from a document to what it names.
const (
	refContent  = "containerd.io/gc.ref.content."
	refSnapshot = "containerd.io/gc.ref.snapshot."
)

// setName points a name at a target. The image that the name pointed at before stays as a dangling one if it has no
// other name. changed is false where the name pointed there already.
func (s *Service) setName(ctx context.Context, name string, target ocispec.Descriptor) (changed bool, err error) {
	unlock, err := s.locks.lock(ctx, "names")
	if err != nil {
		return false, err
	}
	defer unlock()
	defer s.resolved.drop()
	old, err := s.images.Get(ctx, name)
	switch {
	case cerrdefs.IsNotFound(err):
		_, err = s.images.Create(ctx, images.Image{Name: name, Target: target})
	case err != nil:
	case old.Target.Digest == target.Digest:
		return false, nil
	default:
		if err := s.keepDangling(ctx, name, old.Target); err != nil {
			return false, err
		}
		_, err = s.images.Update(ctx, images.Image{Name: name, Target: target}, "target")
	}
	if err != nil {
		return false, fmt.Errorf("naming image %s: %w", name, err)
	}
	if d := danglingName(target.Digest); name != d {
		if err := s.images.Delete(ctx, d); err != nil && !cerrdefs.IsNotFound(err) {
			return true, fmt.Errorf("naming image %s: %w", name, err)
		}
	}
	return true, nil
}

// keepDangling gives a target a dangling name if except is the only name that it has.
func (s *Service) keepDangling(ctx context.Context, except string, target ocispec.Descriptor) error {
	names, err := s.namesOf(ctx, target)
	if err != nil {
		return err
	}
	for _, n := range names {
		if n.Name != except {
			return nil
		}
	}
	_, err = s.images.Create(ctx, images.Image{Name: danglingName(target.Digest), Target: target})
	if err != nil && !cerrdefs.IsAlreadyExists(err) {
		return fmt.Errorf("keeping image %s: %w", target.Digest, err)
	}
	return nil
}

// namesOf lists the stored names of a target.
func (s *Service) namesOf(ctx context.Context, target ocispec.Descriptor) ([]images.Image, error) {
	list, err := s.images.List(ctx, `target.digest=="`+target.Digest.String()+`"`)
	if err != nil {
		return nil, fmt.Errorf("listing names of %s: %w", target.Digest, err)
	}
	return list, nil
}

// linkManifests makes an index keep the manifests that were chosen from it.
func (s *Service) linkManifests(ctx context.Context, index ocispec.Descriptor, chosen []ocispec.Descriptor) error {
	l := map[string]string{}
	for _, d := range chosen {
		l[refContent+"m."+d.Digest.Encoded()[:16]] = d.Digest.String()
	}
	return s.label(ctx, index, l)
}

// linkImage makes a manifest keep its layers and configuration, and the configuration the unpacked layers.
func (s *Service) linkImage(ctx context.Context, p *parts) error {
	l := map[string]string{refContent + "config": p.manifest.Config.Digest.String()}
	for i, d := range p.manifest.Layers {
		l[fmt.Sprintf("%sl.%d", refContent, i)] = d.Digest.String()
	}
	if err := s.label(ctx, p.desc, l); err != nil {
		return err
	}
	if p.chainID() == "" {
		return nil
	}
	return s.label(ctx, p.manifest.Config, map[string]string{refSnapshot + s.driver: p.chainID()})
}

// label adds labels of berth's own making to a blob. Nothing that an image carries is ever made a label.
func (s *Service) label(ctx context.Context, desc ocispec.Descriptor, l map[string]string) error {
	info, err := s.content.Info(ctx, desc.Digest)
	if err != nil {
		return fmt.Errorf("%s %s: %w", kindOf(desc), desc.Digest, err)
	}
	fields := make([]string, 0, len(l))
	for k, v := range l {
		if info.Labels[k] != v {
			fields = append(fields, "labels."+k)
		}
	}
	if len(fields) == 0 {
		return nil
	}
	if _, err := s.content.Update(ctx, content.Info{Digest: desc.Digest, Labels: l}, fields...); err != nil {
		return fmt.Errorf("linking %s %s: %w", kindOf(desc), desc.Digest, err)
	}
	return nil
}

// addSource adds a repository to a comma-separated list of at most ten.
func addSource(list, repo string) string {
	if list == "" {
		return repo
	}
	parts := strings.Split(list, ",")
	for _, p := range parts {
		if p == repo {
			return list
		}
	}
	if len(parts) >= 10 {
		parts = parts[1:]
	}
	return strings.Join(append(parts, repo), ",")
}
