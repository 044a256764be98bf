//go:build linux

package container

import (
	"errors"
	"fmt"
	"os"

	"github.com/berthhq/berth/internal/errdefs"
	"golang.org/x/sys/unix"
)

// subpaths are what is to be let go of when a container has its mounts: mounts of images, and directories within volumes,
// held open so that what was found in a volume is what is mounted: containers that share it could put a link in its
// place meanwhile.
type subpaths []func()

// open finds a directory or file within a volume, whose links are the containers' and stay inside, and gives a name
// for it that is good until close.
func (l *subpaths) open(volume, sub string) (string, error) {
	f, err := openSubpath(volume, sub)
	if err != nil {
		return "", err
	}
	*l = append(*l, func() { f.Close() })
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd()), nil
}

func (l subpaths) close() {
	for i := len(l) - 1; i >= 0; i-- {
		l[i]()
	}
}

// openSubpath opens what lies at a path of a volume, without reading it.
func openSubpath(volume, sub string) (*os.File, error) {
	dir, err := os.Open(volume)
	if err != nil {
		return nil, errdefs.System("opening a volume: %w", err)
	}
	defer dir.Close()
	for {
		fd, err := unix.Openat2(int(dir.Fd()), sub, &unix.OpenHow{
			Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS,
		})
		switch {
		case err == nil:
			return os.NewFile(uintptr(fd), sub), nil
		case !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR): // EAGAIN: something was renamed meanwhile
			return nil, subpathError(sub, err)
		}
	}
}

// subpathError words what is wrong with a volume-subpath as docker does.
func subpathError(sub string, err error) error {
	if errors.Is(err, unix.EXDEV) || errors.Is(err, unix.ELOOP) {
		return errdefs.Invalid("path %s: path concatenation escapes the base directory", sub)
	}
	return errdefs.Invalid("cannot access path %s: %w", sub, err)
}
