//go:build linux

package container

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	apimount "github.com/moby/moby/api/types/mount"
)

// Open gives a descriptor of a directory to read and write a container's files in, and the path within it. A running
// container's is its root as it sees it; of one that does not run, its layers, or the volume or bind the path lies in.
func (s *Service) Open(ctx context.Context, ref, path string) (dir *os.File, inside string, readOnly bool, err error) {
	e, err := s.find(ref)
	if err != nil {
		return nil, "", false, err
	}
	r := e.snapshot()
	if r.Doomed {
		return nil, "", false, errdefs.Conflict("container %s is marked for removal", r.Name)
	}
	if m, rest := r.mountAt(path); m != nil {
		readOnly = m.ReadOnly
		if !r.State.running() {
			source := m.Source
			if m.Type == apimount.TypeVolume {
				if source, err = s.Volumes.Mount(m.Name); err != nil {
					return nil, "", false, err
				}
				defer s.Volumes.Unmount(m.Name)
			}
			if m.Subpath != "" {
				dir, err = reopened(source, m.Subpath)
			} else {
				dir, err = os.Open(source)
			}
			return dir, rest, readOnly, wrapOpen(r.Name, err)
		}
	} else {
		readOnly = r.Host.ReadonlyRootfs
	}
	if r.State.running() {
		dir, err = os.Open(fmt.Sprintf("/proc/%d/root", r.State.Pid))
		return dir, path, readOnly, wrapOpen(r.Name, err)
	}
	dir, err = s.imageRoot(ctx, &r)
	return dir, path, readOnly, err
}

// reopened opens a directory of a volume for reading.
func reopened(volume, sub string) (*os.File, error) {
	f, err := openSubpath(volume, sub)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return os.Open(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
}

func wrapOpen(name string, err error) error {
	if err != nil {
		return errdefs.System("opening the files of container %s: %w", name, err)
	}
	return nil
}

// mountAt finds the innermost mount that a path lies in, as the path is written.
func (r *Record) mountAt(path string) (m *Mount, rest string) {
	clean := "/" + strings.TrimLeft(path, "/")
	for i := range r.Mounts {
		c := &r.Mounts[i]
		if c.Type == apimount.TypeTmpfs || !within(strings.TrimRight(clean, "/."), c.Destination) {
			continue
		}
		if m == nil || len(c.Destination) > len(m.Destination) {
			m, rest = c, strings.TrimPrefix(clean, c.Destination)
		}
	}
	return m, rest
}
