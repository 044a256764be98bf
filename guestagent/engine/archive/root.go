//go:build linux

package archive

import (
	"errors"
	"os"
	"path"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"
)

// Root is the root directory of a container.
type Root struct {
	dir  *os.File
	name string
	ids  user.IdentityMapping
}

// NewRoot works on the root directory of a container, whose name errors have. The directory stays the caller's, open.
func NewRoot(dir *os.File, container string) *Root { return &Root{dir: dir, name: container} }

// open opens a path inside the root.
func (r *Root) open(name string, flags int) (int, error) {
	if name = strings.TrimLeft(name, "/"); name == "" {
		name = "."
	}
	for {
		fd, err := unix.Openat2(int(r.dir.Fd()), name, &unix.OpenHow{
			Flags: uint64(flags) | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
		})
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// split gives the directory that holds a path, and its last part. A path that ends in a slash or a dot means what it
// leads to, so that a link at its end is followed.
func split(name string) (dir, base string, follow bool) {
	follow = strings.HasSuffix(name, "/") || strings.HasSuffix(name, "/.") || name == "."
	clean := path.Clean("/" + name)
	return path.Dir(clean), path.Base(clean), follow
}

// locate opens what a path names, as O_PATH, without following a link at its end unless the path asks for it.
func (r *Root) locate(name string) (fd int, base string, err error) {
	dir, base, follow := split(name)
	if base == "/" || follow {
		fd, err = r.open(path.Join(dir, base), unix.O_PATH|unix.O_DIRECTORY)
		return fd, base, err
	}
	parent, err := r.open(dir, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return -1, base, err
	}
	defer unix.Close(parent)
	fd, err = unix.Openat(parent, base, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	return fd, base, err
}

// missing words an error of a path as docker does.
func (r *Root) missing(name string, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return errdefs.NotFound("Could not find the file %s in container %s", name, r.name)
	case errors.Is(err, unix.ENOTDIR):
		return errdefs.Invalid("%s in container %s: not a directory", name, r.name)
	}
	return errdefs.System("opening %s in the container: %w", name, err)
}
