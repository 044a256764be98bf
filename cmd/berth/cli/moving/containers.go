package moving

import (
	"context"
	"slices"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	apicontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// container is one of the old engine's.
type container struct {
	name    string
	running bool
	spec    apicontainer.InspectResponse
}

// listContainers gives the containers, the oldest first: what one needs of another was there before it.
func (m *move) listContainers(ctx context.Context) (out []container, err error) {
	list, err := m.old.ContainerList(ctx, client.ContainerListOptions{All: true})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list.Items, func(a, b apicontainer.Summary) int { return int(a.Created - b.Created) })
	for _, c := range list.Items {
		r, err := m.old.ContainerInspect(ctx, c.ID, client.ContainerInspectOptions{})
		if cerrdefs.IsNotFound(err) {
			continue // it ended, and was to be removed
		}
		if err != nil {
			return nil, err
		}
		out = append(out, container{name: strings.TrimPrefix(r.Container.Name, "/"), running: r.Container.State.Running, spec: r.Container})
	}
	return out, nil
}

func (m *move) stopOld(ctx context.Context, c container) {
	if !c.running {
		return
	}
	if _, err := m.old.ContainerStop(ctx, c.spec.ID, client.ContainerStopOptions{}); err != nil {
		m.report.lost("container", c.name, err)
	}
}

func (m *move) container(ctx context.Context, c container, all []container) {
	_, err := m.mine.ContainerInspect(ctx, c.name, client.ContainerInspectOptions{})
	switch {
	case err == nil:
		m.report.had("container", c.name, "a container of this name is here already, which stays")
		return
	case !cerrdefs.IsNotFound(err):
		m.report.lost("container", c.name, err)
		return
	}
	image, err := m.imageOf(ctx, c)
	if err != nil {
		m.report.lost("container", c.name, err)
		return
	}
	if !m.dryRun {
		if err := m.carryContainer(ctx, c, all, image); err != nil {
			m.report.lost("container", c.name, err)
			return
		}
	}
	m.report.took("container", c.name, m.whatOf(c, image))
}

// whatOf says what a person must know of a container that came along.
func (m *move) whatOf(c container, image string) string {
	var more []string
	if image != c.spec.Config.Image {
		more = append(more, "with the files it has changed as image "+image)
	}
	switch {
	case c.running && m.stop:
		more = append(more, "stopped there and started here")
	case c.running:
		more = append(more, "still running there and not started here")
	}
	return strings.Join(more, ", ")
}

func (m *move) carryContainer(ctx context.Context, c container, all []container, image string) error {
	if image != c.spec.Config.Image {
		if err := m.carryChanges(ctx, c, image); err != nil {
			return err
		}
	}
	o := recreate(c, all, image)
	created, err := m.mine.ContainerCreate(ctx, o)
	if err != nil && dropAddresses(o.NetworkingConfig) { // of a subnet that the network did not get
		created, err = m.mine.ContainerCreate(ctx, o)
	}
	if err != nil || !c.running || !m.stop {
		return err
	}
	_, err = m.mine.ContainerStart(ctx, created.ID, client.ContainerStartOptions{})
	return err
}

// imageOf is the name of the image that the container here is made of: its own where it has changed nothing.
func (m *move) imageOf(ctx context.Context, c container) (string, error) {
	own := "berth-system-import:" + strings.ToLower(c.name)
	now, err := m.old.ImageInspect(ctx, c.spec.Config.Image)
	if cerrdefs.IsNotFound(err) || err == nil && (now.ID != c.spec.Image || len(now.RepoTags) == 0) {
		return own, nil // its image has lost its name
	}
	if err != nil {
		return "", err
	}
	diff, err := m.old.ContainerDiff(ctx, c.spec.ID, client.ContainerDiffOptions{})
	if err != nil {
		return "", err
	}
	for _, change := range diff.Changes {
		if isMountPoint(change.Path, c) {
			continue
		}
		if change.Kind != apicontainer.ChangeModify || !isPlace(change.Path, diff.Changes) {
			return own, nil
		}
	}
	return c.spec.Config.Image, nil
}

// isPlace says that a directory is told to have changed only because something below it has.
func isPlace(path string, all []apicontainer.FilesystemChange) bool {
	return slices.ContainsFunc(all, func(c apicontainer.FilesystemChange) bool { return strings.HasPrefix(c.Path, path+"/") })
}

// isMountPoint says that a directory is there for a volume or a file of the machine, which comes along by itself.
func isMountPoint(path string, c container) bool {
	return slices.ContainsFunc(c.spec.Mounts, func(m apicontainer.MountPoint) bool {
		return m.Destination == path || strings.HasPrefix(m.Destination, path+"/")
	})
}

// carryChanges makes an image of a container there and brings it here. There it is removed again.
func (m *move) carryChanges(ctx context.Context, c container, image string) error {
	if _, err := m.old.ContainerCommit(ctx, c.spec.ID, client.ContainerCommitOptions{Reference: image, NoPause: !m.stop}); err != nil {
		return err
	}
	err := m.carryImage(ctx, []string{image})
	if _, rmErr := m.old.ImageRemove(context.WithoutCancel(ctx), image, client.ImageRemoveOptions{}); err == nil {
		err = rmErr
	}
	return err
}
