//go:build linux

package engine

import (
	"context"
	"io"
	"maps"

	"github.com/berthhq/berth/guestagent/engine/api"
	"github.com/berthhq/berth/guestagent/engine/container"
	"github.com/berthhq/berth/guestagent/engine/events"
	"github.com/berthhq/berth/guestagent/engine/image"
	"github.com/distribution/reference"
	apiimage "github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/registry"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// imageBackend is images; the service speaks the API's words already. What changes is told to the bus here.
type imageBackend struct {
	*image.Service
	containers *container.Service
	bus        *events.Bus
}

func (b imageBackend) ImageList(ctx context.Context, o api.ImageListOptions) ([]apiimage.Summary, error) {
	return b.Service.ImageList(ctx, image.ListOptions{All: o.All, SharedSize: o.SharedSize, Manifests: o.Manifests, Filters: o.Filters})
}

func (b imageBackend) ImagePull(ctx context.Context, ref string, platform *ocispec.Platform, auth *registry.AuthConfig, w io.Writer) error {
	if named, err := reference.ParseNormalizedNamed(ref); err == nil && reference.IsNameOnly(named) {
		return b.ImagePullAll(ctx, named, platform, auth, w, func(ref string) { b.tell(ctx, "pull", familiar(ref)) })
	}
	err := b.Service.ImagePull(ctx, ref, platform, auth, w)
	if err == nil {
		b.tell(ctx, "pull", familiar(ref))
	}
	return err
}

func (b imageBackend) ImagePush(ctx context.Context, ref string, platform *ocispec.Platform, auth *registry.AuthConfig, w io.Writer) error {
	err := b.Service.ImagePush(ctx, ref, platform, auth, w)
	if err == nil {
		b.tell(ctx, "push", familiar(ref))
	}
	return err
}

// ImageSearch looks for repositories in a registry.
func (b imageBackend) ImageSearch(ctx context.Context, term string, limit int, f api.Filters, auth *registry.AuthConfig) ([]registry.SearchResult, error) {
	return b.Service.ImageSearch(ctx, term, limit, f, auth)
}

func (b imageBackend) ImageTag(ctx context.Context, ref, target string) error {
	err := b.Service.ImageTag(ctx, ref, target)
	if err == nil {
		if img, rerr := b.Resolve(ctx, ref, nil); rerr == nil {
			b.bus.Publish("image", "tag", img.ID, map[string]string{"name": familiar(target)})
		}
	}
	return err
}

func (b imageBackend) ImageRemove(ctx context.Context, ref string, force, noPrune bool, platforms []ocispec.Platform) ([]apiimage.DeleteResponse, error) {
	if len(platforms) > 0 {
		return b.ImageRemovePlatforms(ctx, ref, force, platforms)
	}
	id := ref
	if img, err := b.Resolve(ctx, ref, nil); err == nil {
		id = img.ID
	}
	list, err := b.Service.ImageRemove(ctx, ref, force, noPrune)
	for _, r := range list {
		switch {
		case r.Untagged != "":
			b.bus.Publish("image", "untag", id, map[string]string{"name": id})
		case r.Deleted != "":
			b.bus.Publish("image", "delete", r.Deleted, map[string]string{"name": r.Deleted})
		}
	}
	return list, err
}

func (b imageBackend) ImagePrune(ctx context.Context, f api.Filters) (apiimage.PruneReport, error) {
	report, err := b.Service.ImagePrune(ctx, f)
	for _, r := range report.ImagesDeleted {
		if r.Deleted != "" {
			b.bus.Publish("image", "delete", r.Deleted, map[string]string{"name": r.Deleted})
		}
	}
	return report, err
}

// ImageLoad tells of each image of the archive.
func (b imageBackend) ImageLoad(ctx context.Context, tar io.Reader, platform *ocispec.Platform, quiet bool, w io.Writer) error {
	return b.Service.ImageLoad(ctx, tar, platform, quiet, w, func(id string) { b.tellByID(ctx, "load", id) })
}

// ImageSave tells of each image that it finds, as docker does, before the archive is written.
func (b imageBackend) ImageSave(ctx context.Context, refs []string, platform *ocispec.Platform, w io.Writer) error {
	return b.Service.ImageSave(ctx, refs, platform, w, func(id string) { b.tellByID(ctx, "save", id) })
}

// tellByID publishes an event of an image that is named by its ID.
func (b imageBackend) tellByID(ctx context.Context, action, id string) {
	attrs := map[string]string{}
	if img, err := b.Resolve(ctx, id, nil); err == nil {
		maps.Copy(attrs, img.Config.Config.Labels)
	}
	attrs["name"] = id
	b.bus.Publish("image", action, id, attrs)
}

// tell publishes an event of an image by its name, as docker does for what comes from or goes to a registry.
func (b imageBackend) tell(ctx context.Context, action, ref string) {
	attrs := map[string]string{"name": ref}
	if named, err := reference.ParseNormalizedNamed(ref); err == nil {
		attrs["name"] = reference.FamiliarName(named)
	}
	if img, err := b.Resolve(ctx, ref, nil); err == nil {
		for k, v := range img.Config.Config.Labels {
			if _, ok := attrs[k]; !ok {
				attrs[k] = v
			}
		}
	}
	b.bus.Publish("image", action, ref, attrs)
}

func familiar(ref string) string {
	if named, err := reference.ParseNormalizedNamed(ref); err == nil {
		return reference.FamiliarString(named)
	}
	return ref
}
