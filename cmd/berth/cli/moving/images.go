package moving

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/berthhq/berth/internal/errdefs"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client"
)

// images takes over every image that has a name. One without is a build's leftover; where a container is made of it, the
// container brings it.
func (m *move) images(ctx context.Context, _ []container) error {
	list, err := m.old.ImageList(ctx, client.ImageListOptions{})
	if err != nil {
		return err
	}
	slices.SortFunc(list.Items, func(a, b image.Summary) int { return int(a.Created - b.Created) })
	for _, img := range list.Items {
		var missing []string
		for _, tag := range img.RepoTags {
			if tag == "<none>:<none>" {
				continue
			}
			switch same, err := m.sameImage(ctx, tag); {
			case err != nil:
				m.report.lost("image", tag, err)
			case same == "":
				missing = append(missing, tag)
			default:
				m.report.had("image", tag, same)
			}
		}
		if len(missing) > 0 {
			m.image(ctx, img, missing)
		}
	}
	return nil
}

// sameImage says what is here under an image's name, "" if nothing. Engines may name the same image by different
// digests, so the layers are compared.
func (m *move) sameImage(ctx context.Context, tag string) (string, error) {
	here, err := m.mine.ImageInspect(ctx, tag)
	if cerrdefs.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	there, err := m.old.ImageInspect(ctx, tag)
	if err != nil {
		return "", err
	}
	if slices.Equal(here.RootFS.Layers, there.RootFS.Layers) {
		return "is here already", nil
	}
	return "another image has this name here, which stays", nil
}

func (m *move) image(ctx context.Context, img image.Summary, tags []string) {
	var err error
	if !m.dryRun {
		err = m.carryImage(ctx, tags)
	}
	for _, tag := range tags {
		if err != nil {
			m.report.lost("image", tag, err)
			continue
		}
		m.report.took("image", tag, units.HumanSize(float64(img.Size)))
	}
}

// carryImage pipes a save into a load.
func (m *move) carryImage(ctx context.Context, tags []string) error {
	saved, err := m.old.ImageSave(ctx, tags)
	if err != nil {
		return err
	}
	defer saved.Close()
	loaded, err := m.mine.ImageLoad(ctx, saved, client.ImageLoadWithQuiet(true))
	if err != nil {
		return err
	}
	return errors.Join(drain(loaded), loaded.Close())
}

// drain reads progress to its end, and the error in it.
func drain(r io.Reader) error {
	d := json.NewDecoder(r)
	for {
		var msg struct {
			Error *jsonstream.Error `json:"errorDetail"`
		}
		switch err := d.Decode(&msg); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading the engine's answer: %w", err)
		case msg.Error != nil:
			return errdefs.System("%s", msg.Error.Message)
		}
	}
}
