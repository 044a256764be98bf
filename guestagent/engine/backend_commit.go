//go:build linux

package engine

import (
	"context"

	"github.com/berthhq/berth/guestagent/engine/api"
	"github.com/berthhq/berth/guestagent/engine/container"
	"github.com/berthhq/berth/internal/errdefs"
)

// ImageCommit makes an image of a container.
func (b imageBackend) ImageCommit(ctx context.Context, name string, o api.CommitOptions) (string, error) {
	if len(o.Changes) > 0 {
		return "", errdefs.NotImplemented("changes are not applied by commit yet").WithHint("Commit without --change, or build the image from a Dockerfile.")
	}
	id, err := b.containers.ContainerCommit(ctx, name, container.CommitOptions{Name: o.Reference, Author: o.Author, Comment: o.Comment, Config: o.Config})
	if err == nil {
		b.bus.Publish("image", "create", id, map[string]string{"name": familiar(o.Reference)})
	}
	return id, err
}
