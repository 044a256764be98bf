//go:build linux

package image

import (
	"context"
	"fmt"

	"github.com/berthhq/berth/guestagent/engine/image/progress"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Adopt makes an image of a target whose content is in the store: it is unpacked where it is not yet, and gets the
// names, normalised ones with a tag; without any it is a dangling image. Errors: Invalid for a name that is none.
func (s *Service) Adopt(ctx context.Context, names []string, target ocispec.Descriptor) error {
	ctx = s.ctx(ctx)
	full := make([]string, 0, max(1, len(names)))
	for _, n := range names {
		named, err := parseTagged(n)
		if err != nil {
			return err
		}
		full = append(full, named.String())
	}
	if len(full) == 0 {
		full = append(full, "")
	}
	ctx, done, err := s.lease(ctx, "adopt "+target.Digest.String())
	if err != nil {
		return err
	}
	defer done(true)
	for _, n := range full {
		if err := s.loadOne(ctx, archived{name: n, target: target}, progress.New(nil)); err != nil {
			return fmt.Errorf("image %s: %w", target.Digest, err)
		}
	}
	return nil
}
