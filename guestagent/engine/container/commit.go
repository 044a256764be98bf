//go:build linux

package container

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/image"
	"github.com/berthhq/berth/guestagent/engine/image/changes"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// CommitOptions say how an image is made of a container.
type CommitOptions struct {
	Name            string // reference with a tag; "" leaves the image without a name
	Author, Comment string
	Changes         []string          // instructions of a Dockerfile, over Config or else over the container's
	Config          *container.Config // what it says wins over the container's; may be nil
}

// ContainerCommit makes an image of what a container has changed, and gives its ID. A container that runs is frozen
// meanwhile, whether or not that was asked for: its files are read by their paths, which must not be changed under the
// reader.
func (s *Service) ContainerCommit(ctx context.Context, ref string, o CommitOptions) (string, error) {
	e, err := s.find(ref)
	if err != nil {
		return "", err
	}
	release, err := e.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	r := e.snapshot()
	if r.Doomed || r.State.Status == container.StateDead || r.State.Status == container.StateRemoving {
		return "", errdefs.Conflict("You cannot commit container %s which is Dead", r.ID)
	}
	cfg, err := newConfig(o, r.Config)
	if err != nil {
		return "", err
	}
	if r.State.Status == container.StateRunning {
		if err := s.Runtime.Pause(ctx, r.ID); err != nil {
			return "", err
		}
		defer s.Runtime.Resume(context.WithoutCancel(ctx), r.ID)
	}
	id, err := s.Images.Make(ctx, image.Draft{
		Base: r.Image, Name: o.Name, Config: image.ConfigOf(cfg),
		History: ocispec.History{Author: o.Author, Comment: o.Comment, CreatedBy: strings.Join(append([]string{r.Path}, r.Args...), " ")},
		Layer: func(ctx context.Context, w io.Writer) error {
			return s.Images.WriteDiff(ctx, r.Image, s.Layout.Container(r.ID), notTheirs(), w)
		},
	})
	if err != nil {
		return "", err
	}
	s.publish(&r, "commit", "comment", o.Comment, "imageID", id, "imageRef", o.Name)
	return id, nil
}

// notTheirs tells what stands in a container's layer as the place of a mount of ours.
func notTheirs() func(name string) bool {
	mine := ours()
	return func(name string) bool {
		for p := range mine {
			if name == p || strings.HasPrefix(name, p+"/") && p != "/etc/mtab" {
				return true
			}
		}
		return false
	}
}

// newConfig is what was asked for, changes made, over what the container has, as docker merges them.
func newConfig(o CommitOptions, have *container.Config) (*container.Config, error) {
	want := o.Config
	if want == nil {
		want = have
	}
	want, err := changes.Apply(want, o.Changes)
	if err != nil {
		return nil, err
	}
	c := *want
	img := image.ConfigOf(have)
	mergeImage(&c, &img)
	if len(want.OnBuild) > 0 {
		c.OnBuild = slices.Clone(want.OnBuild)
	}
	return &c, nil
}
