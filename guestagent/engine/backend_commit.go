//go:build linux

package engine

import (
	"context"
	"io"

	"github.com/berthhq/berth/guestagent/engine/api"
	"github.com/berthhq/berth/guestagent/engine/container"
	"github.com/berthhq/berth/guestagent/engine/image"
)

// ImageCommit makes an image of a container.
func (b imageBackend) ImageCommit(ctx context.Context, name string, o api.CommitOptions) (string, error) {
	id, err := b.containers.ContainerCommit(ctx, name, container.CommitOptions{
		Name: o.Reference, Author: o.Author, Comment: o.Comment, Changes: o.Changes, Config: o.Config,
	})
	if err == nil {
		b.bus.Publish("image", "create", id, map[string]string{"name": familiar(o.Reference)})
	}
	return id, err
}

// ImageImport makes an image of an archive of files.
func (b imageBackend) ImageImport(ctx context.Context, tar io.Reader, o api.ImportOptions, w io.Writer) error {
	id, err := b.Service.ImageImport(ctx, tar, image.ImportOptions(o), w)
	if err == nil {
		b.bus.Publish("image", "import", id, map[string]string{"name": id})
	}
	return err
}
