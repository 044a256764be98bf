//go:build linux

package engine

import (
	"context"
	"io"
	"os"

	"github.com/berthhq/berth/guestagent/engine/archive"
	"github.com/berthhq/berth/guestagent/engine/container"
	"github.com/berthhq/berth/guestagent/engine/supervisor/identity"
	"github.com/berthhq/berth/internal/errdefs"
	apicontainer "github.com/moby/moby/api/types/container"
)

// archiveBackend is copying in and out of containers.
type archiveBackend struct{ e *Engine }

func (b archiveBackend) root(ctx context.Context, name string) (*archive.Root, *container.Files, error) {
	files, err := b.e.containers.Open(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	return archive.NewRoot(files.Dir, name).Mapped(files.IDs), files, nil
}

func (b archiveBackend) ContainerStatPath(ctx context.Context, name, path string) (apicontainer.PathStat, error) {
	root, files, err := b.root(ctx, name)
	if err != nil {
		return apicontainer.PathStat{}, err
	}
	defer files.Close()
	return root.Stat(path)
}

func (b archiveBackend) ContainerGetArchive(ctx context.Context, name, path string) (io.ReadCloser, apicontainer.PathStat, error) {
	root, files, err := b.root(ctx, name)
	if err != nil {
		return nil, apicontainer.PathStat{}, err
	}
	r, st, err := root.Read(path)
	if err != nil {
		files.Close()
		return nil, st, err
	}
	b.e.containers.Tell(name, "archive-path", path)
	return filesReader{r, files}, st, nil
}

// filesReader lets go of the container's files with the archive.
type filesReader struct {
	io.ReadCloser
	files *container.Files
}

func (r filesReader) Close() error {
	err := r.ReadCloser.Close()
	r.files.Close()
	return err
}

func (b archiveBackend) ContainerPutArchive(ctx context.Context, name, path string, noOverwriteDirNonDir, copyUIDGID bool, tar io.Reader) error {
	root, files, err := b.root(ctx, name)
	if err != nil {
		return err
	}
	defer files.Close()
	o := archive.WriteOptions{NoOverwriteDirNonDir: noOverwriteDirNonDir}
	if copyUIDGID {
		if o.Owner, err = b.owner(ctx, name, files.Dir); err != nil {
			return err
		}
	}
	if err := root.Write(path, tar, o); err != nil {
		return err
	}
	b.e.containers.Tell(name, "extract-to-dir", path)
	return nil
}

func (b archiveBackend) ContainerExport(ctx context.Context, name string, w io.Writer) error {
	dir, ids, err := b.e.containers.Layers(ctx, name)
	if err != nil {
		return err
	}
	defer dir.Close()
	return archive.NewRoot(dir, name).Mapped(ids).Export(w)
}

// owner is the user that a container runs as, by the files in its root; nil where it says none.
func (b archiveBackend) owner(ctx context.Context, name string, root *os.File) (*archive.Owner, error) {
	c, err := b.e.containers.ContainerInspect(ctx, name, false)
	if err != nil || c.Config.User == "" {
		return nil, err
	}
	uid, gid, err := identity.Lookup(root, c.Config.User)
	if err != nil {
		return nil, errdefs.Invalid("%w", err)
	}
	return &archive.Owner{UID: uid, GID: gid}, nil
}
