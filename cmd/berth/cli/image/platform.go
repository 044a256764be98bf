package image

import (
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/platforms"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// parsePlatforms reads what --platform was given; nothing gives nothing.
func parsePlatforms(words ...string) ([]ocispec.Platform, error) {
	var list []ocispec.Platform
	for _, w := range words {
		if w == "" {
			continue
		}
		p, err := platforms.Parse(w)
		if err != nil {
			return nil, errdefs.Invalid("invalid platform %q: %w", w, err)
		}
		list = append(list, platforms.Normalize(p))
	}
	return list, nil
}
