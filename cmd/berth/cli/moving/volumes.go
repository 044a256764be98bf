package moving

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	cerrdefs "github.com/containerd/errdefs"
	apicontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/volume"
	"github.com/moby/moby/client"
)

// helperImage is an image without a file, of which the containers are made that a volume is read and written through.
// They are never started.
const helperImage = "berth-system-import:helper"

// helperDir is where such a container has the volume.
const helperDir = "/volume"

// volumes takes over the volumes that lie on the old engine's disk.
func (m *move) volumes(ctx context.Context, containers []container) error {
	list, err := m.old.VolumeList(ctx, client.VolumeListOptions{})
	if err != nil {
		return err
	}
	slices.SortFunc(list.Items, func(a, b volume.Volume) int { return strings.Compare(a.Name, b.Name) })
	for _, v := range list.Items {
		_, err := m.mine.VolumeInspect(ctx, v.Name, client.VolumeInspectOptions{})
		switch {
		case err == nil:
			m.report.had("volume", v.Name, "a volume of this name is here already, which stays")
			continue
		case !cerrdefs.IsNotFound(err):
			m.report.lost("volume", v.Name, err)
			continue
		case v.Driver != "local":
			m.report.lost("volume", v.Name, errdefs.NotImplemented("its driver is %s", v.Driver))
			continue
		}
		if !m.dryRun {
			err = m.carryVolume(ctx, v)
		} else {
			err = nil
		}
		if err != nil {
			m.report.lost("volume", v.Name, err)
			continue
		}
		m.report.took("volume", v.Name, m.writers(v.Name, containers))
	}
	return m.dropHelpers(ctx)
}

// writers names a container that may have written a volume while it was read.
func (m *move) writers(name string, containers []container) string {
	for _, c := range containers {
		if !c.running || m.stop {
			continue
		}
		for _, mnt := range c.spec.Mounts {
			if mnt.Type == mount.TypeVolume && mnt.Name == name && mnt.RW {
				return "while container " + c.name + " could write it"
			}
		}
	}
	return ""
}

func (m *move) carryVolume(ctx context.Context, v volume.Volume) error {
	created := client.VolumeCreateOptions{Name: v.Name, Driver: v.Driver, DriverOpts: v.Options, Labels: v.Labels}
	if _, err := m.mine.VolumeCreate(ctx, created); err != nil {
		return err
	}
	if len(v.Options) > 0 {
		return nil // its files are elsewhere: in a directory, a device, on a server
	}
	err := m.carryFiles(ctx, v.Name)
	if err != nil { // half a volume would be taken for the whole
		_, rmErr := m.mine.VolumeRemove(ctx, v.Name, client.VolumeRemoveOptions{Force: true})
		err = errors.Join(err, rmErr)
	}
	return err
}

func (m *move) carryFiles(ctx context.Context, name string) error {
	from, dropFrom, err := m.helper(ctx, m.old, name)
	if err != nil {
		return err
	}
	to, dropTo, err := m.helper(ctx, m.mine, name)
	if err != nil {
		return errors.Join(err, dropFrom())
	}
	read, err := m.old.CopyFromContainer(ctx, from, client.CopyFromContainerOptions{SourcePath: helperDir + "/."})
	if err == nil {
		_, err = m.mine.CopyToContainer(ctx, to, client.CopyToContainerOptions{DestinationPath: helperDir, Content: read.Content})
		err = errors.Join(err, read.Content.Close())
	}
	return errors.Join(err, dropFrom(), dropTo())
}

// helper makes a container that has a volume.
func (m *move) helper(ctx context.Context, cl *client.Client, volume string) (id string, drop func() error, err error) {
	if err := m.makeHelperImage(ctx, cl); err != nil {
		return "", nil, err
	}
	r, err := cl.ContainerCreate(ctx, client.ContainerCreateOptions{
		Config: &apicontainer.Config{Image: helperImage, Cmd: []string{"never-run"}},
		HostConfig: &apicontainer.HostConfig{NetworkMode: "none", Mounts: []mount.Mount{
			{Type: mount.TypeVolume, Source: volume, Target: helperDir, VolumeOptions: &mount.VolumeOptions{NoCopy: true}},
		}},
	})
	if err != nil {
		return "", nil, err
	}
	return r.ID, func() error {
		_, err := cl.ContainerRemove(context.WithoutCancel(ctx), r.ID, client.ContainerRemoveOptions{Force: true})
		return err
	}, nil
}

func (m *move) makeHelperImage(ctx context.Context, cl *client.Client) error {
	if _, made := m.helpers[cl]; made {
		return nil
	}
	var empty bytes.Buffer
	tw := tar.NewWriter(&empty)
	if err := errors.Join(tw.WriteHeader(&tar.Header{Name: helperDir[1:] + "/", Typeflag: tar.TypeDir, Mode: 0o755}), tw.Close()); err != nil {
		return err
	}
	r, err := cl.ImageImport(ctx, client.ImageImportSource{Source: &empty, SourceName: "-"}, helperImage, client.ImageImportOptions{})
	if err != nil {
		return err
	}
	if err := errors.Join(drain(r), r.Close()); err != nil {
		return err
	}
	if m.helpers == nil {
		m.helpers = map[*client.Client]string{}
	}
	m.helpers[cl] = helperImage
	return nil
}

func (m *move) dropHelpers(ctx context.Context) error {
	var errs []error
	for cl, img := range m.helpers {
		_, err := cl.ImageRemove(context.WithoutCancel(ctx), img, client.ImageRemoveOptions{Force: true})
		errs = append(errs, err)
	}
	m.helpers = nil
	return errors.Join(errs...)
}
