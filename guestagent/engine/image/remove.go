//go:build linux

package image

import (
	"context"
	"fmt"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/images"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/image"
)

// ImageRemove takes a name from an image, or, named by ID or by its last name, the image itself. force removes what
// containers use (their layers stay until they are gone) and all names at once. Content goes in the background.
// noPrune changes nothing: there are no untagged parents in this store.
func (s *Service) ImageRemove(ctx context.Context, ref string, force, _ bool) ([]image.DeleteResponse, error) {
	ctx = s.ctx(ctx)
	unlock, err := s.locks.lock(ctx, "names")
	if err != nil {
		return nil, err
	}
	defer unlock()
	stored, err := s.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	names, err := s.namesOf(ctx, stored.Target)
	if err != nil {
		return nil, err
	}
	defer s.resolved.drop()
	if byDigest(ref) {
		return s.removeDigest(ctx, ref, stored, names, force)
	}
	if s.namedExactly(ref, stored) {
		return s.removeName(ctx, stored, names, force)
	}
	return s.removeID(ctx, stored, names, force, false)
}

// namedExactly tells a reference by name from one by ID.
func (s *Service) namedExactly(ref string, stored images.Image) bool {
	named, err := parseRef(ref)
	return err == nil && named.String() == stored.Name && !strings.HasPrefix(ref, "sha256:")
}

// removeDigest takes the names that an image has in one repository; the image goes with the last of all.
func (s *Service) removeDigest(ctx context.Context, ref string, stored images.Image, names []images.Image, force bool) ([]image.DeleteResponse, error) {
	named, err := parseRef(ref)
	if err != nil {
		return nil, err
	}
	var here []images.Image
	for _, n := range names {
		if other, err := reference.ParseNormalizedNamed(n.Name); err == nil && other.Name() == named.Name() {
			here = append(here, n)
		}
	}
	if len(here) == 0 || len(here) == len(names) {
		return s.removeID(ctx, stored, names, force, true)
	}
	out := []image.DeleteResponse{}
	for _, n := range here {
		if err := s.images.Delete(ctx, n.Name); err != nil && !cerrdefs.IsNotFound(err) {
			return out, fmt.Errorf("untagging %s: %w", familiar(n.Name), err)
		}
		out = append(out, image.DeleteResponse{Untagged: familiar(n.Name)})
	}
	return out, nil
}

func (s *Service) removeName(ctx context.Context, stored images.Image, names []images.Image, force bool) ([]image.DeleteResponse, error) {
	if len(names) > 1 {
		if err := s.images.Delete(ctx, stored.Name); err != nil {
			return nil, fmt.Errorf("untagging %s: %w", familiar(stored.Name), err)
		}
		return []image.DeleteResponse{{Untagged: familiar(stored.Name)}}, nil
	}
	id := stored.Target.Digest
	users := s.usersOf(id.String())
	if len(users) > 0 && !force {
		return nil, errdefs.Conflict("conflict: unable to delete %s (must be forced) - container %s is using its referenced image %s",
			familiar(stored.Name), short(users[0]), short(id.Encoded()))
	}
	if len(users) > 0 {
		// The image stays, without a name, for the containers that were made of it.
		if err := s.keepDangling(ctx, stored.Name, stored.Target); err != nil {
			return nil, err
		}
		if err := s.images.Delete(ctx, stored.Name); err != nil {
			return nil, fmt.Errorf("untagging %s: %w", familiar(stored.Name), err)
		}
		return []image.DeleteResponse{{Untagged: familiar(stored.Name)}}, nil
	}
	return s.removeAll(ctx, names)
}

// removeID removes an image and all its names. oneRepo: they were meant, being in the one repository that was named.
func (s *Service) removeID(ctx context.Context, stored images.Image, names []images.Image, force, oneRepo bool) ([]image.DeleteResponse, error) {
	id := stored.Target.Digest
	users := s.usersOf(id.String())
	for _, c := range users {
		if s.cfg.Running != nil && s.cfg.Running(c) {
			return nil, errdefs.Conflict("conflict: unable to delete %s (cannot be forced) - image is being used by running container %s", short(id.Encoded()), short(c))
		}
	}
	if len(users) > 0 && !force {
		return nil, errdefs.Conflict("conflict: unable to delete %s (must be forced) - image is being used by stopped container %s", short(id.Encoded()), short(users[0]))
	}
	if len(names) > 1 && !oneRepo && !force { // docker's sentence, also where it is several tags of one
		return nil, errdefs.Conflict("conflict: unable to delete %s (must be forced) - image is referenced in multiple repositories", short(id.Encoded()))
	}
	return s.removeAll(ctx, names)
}

// removeAll deletes every name of one image, and so the image.
func (s *Service) removeAll(ctx context.Context, names []images.Image) ([]image.DeleteResponse, error) {
	out := []image.DeleteResponse{}
	for _, n := range names {
		if err := s.images.Delete(ctx, n.Name); err != nil && !cerrdefs.IsNotFound(err) {
			return out, fmt.Errorf("untagging %s: %w", familiar(n.Name), err)
		}
		if !isDangling(n.Name) {
			out = append(out, image.DeleteResponse{Untagged: familiar(n.Name)})
		}
	}
	if len(names) > 0 {
		out = append(out, image.DeleteResponse{Deleted: names[0].Target.Digest.String()})
	}
	s.gc.soon()
	return out, nil
}

func short(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return id
}
