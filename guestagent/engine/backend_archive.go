//go:build linux

package engine

import (
	"context"
	"io"

	"github.com/berthhq/berth/guestagent/engine/archive"
	"github.com/berthhq/berth/guestagent/engine/supervisor/identity"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
)

// archiveBackend is copying in and out of containers.
type archiveBackend struct{ e *Engine }

func (b archiveBackend) root(ctx context.Context, name, path string) (*archive.Root, string, bool, error) {
	dir, inside, readOnly, err := b.e.containers.Open(ctx, name, path)
	if err != nil {
		return nil, "", false, err
	}
	return archive.NewRoot(dir, name), inside, readOnly, nil
}

func (b archiveBackend) ContainerStatPath(ctx context.Context, name, path string) (container.PathStat, error) {
	root, inside, _, err := b.root(ctx, name, path)
	if err != nil {
		return container.PathStat{}, err
	}
	defer root.Close()
	return root.Stat(inside)
}

func (b archiveBackend) ContainerGetArchive(ctx context.Context, name, path string) (io.ReadCloser, container.PathStat, error) {
	root, inside, _, err := b.root(ctx, name, path)
	if err != nil {
		return nil, container.PathStat{}, err
	}
	r, st, err := root.Read(inside)
	if err != nil {
		root.Close()
		return nil, st, err
	}
	return rootReader{r, root}, st, nil
}

// rootReader closes the root with the archive.
type rootReader struct {
	io.ReadCloser
	root *archive.Root
}

func (r rootReader) Close() error {
	err := r.ReadCloser.Close()
	r.root.Close()
	return err
}

func (b archiveBackend) ContainerPutArchive(ctx context.Context, name, path string, noOverwriteDirNonDir, copyUIDGID bool, tar io.Reader) error {
	root, inside, readOnly, err := b.root(ctx, name, path)
	if err != nil {
		return err
	}
	defer root.Close()
	if readOnly {
		return errdefs.Forbidden("container rootfs is marked read-only")
	}
	o := archive.WriteOptions{NoOverwriteDirNonDir: noOverwriteDirNonDir}
	if copyUIDGID {
		if o.Owner, err = b.owner(ctx, name); err != nil {
			return err
		}
	}
	return root.Write(inside, tar, o)
}

// owner is the user that a container runs as; nil where it says none.
func (b archiveBackend) owner(ctx context.Context, name string) (*archive.Owner, error) {
	c, err := b.e.containers.ContainerInspect(ctx, name, false)
	if err != nil || c.Config.User == "" {
		return nil, err
	}
	dir, _, _, err := b.e.containers.Open(ctx, name, "/")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	uid, gid, err := identity.Lookup(dir, c.Config.User)
	if err != nil {
		return nil, errdefs.Invalid("%w", err)
	}
	return &archive.Owner{UID: uid, GID: gid}, nil
}

func (b archiveBackend) ContainerExport(ctx context.Context, name string, w io.Writer) error {
	root, _, _, err := b.root(ctx, name, "/")
	if err != nil {
		return err
	}
	defer root.Close()
	return root.Export(w)
}
