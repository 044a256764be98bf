//go:build linux

package engine

import (
	"context"

	"github.com/berthhq/berth/guestagent/engine/api"
	"github.com/berthhq/berth/guestagent/engine/image"
	apiimage "github.com/moby/moby/api/types/image"
)

// imageBackend is images; the service speaks the API's words already.
type imageBackend struct{ *image.Service }

func (b imageBackend) ImageList(ctx context.Context, o api.ImageListOptions) ([]apiimage.Summary, error) {
	return b.Service.ImageList(ctx, image.ListOptions{All: o.All, SharedSize: o.SharedSize, Manifests: o.Manifests, Filters: o.Filters})
}

func (b imageBackend) ImagePrune(ctx context.Context, f api.Filters) (apiimage.PruneReport, error) {
	return b.Service.ImagePrune(ctx, f)
}
