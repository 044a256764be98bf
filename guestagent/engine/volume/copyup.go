//go:build linux

package volume

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/continuity/fs"
)

// CopyUp fills an empty volume from a directory of an image: owners, modes, links and extended attributes as they are.
// sub is a directory within the volume to fill, which must exist; empty is the whole. What has anything in it is left
// alone. The image's directory must be one that no container can change meanwhile.
func (s *Service) CopyUp(name, sub string, from *os.File) error {
	s.mu.Lock()
	v, err := s.get(name)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	v.fill.Lock()
	defer v.fill.Unlock()
	if len(v.rec.Options) > 0 {
		if _, err := s.Mount(name); err != nil {
			return err
		}
		defer s.Unmount(name)
	}
	dir := s.data(name)
	if sub != "" {
		within, err := openWithin(dir, sub)
		if err != nil {
			return nil // missing or no directory: told when the container starts
		}
		defer within.Close()
		dir = fmt.Sprintf("/proc/self/fd/%d/.", within.Fd())
	}
	if full, err := hasEntries(dir); err != nil || full {
		return err
	}
	if err := fs.CopyDir(dir, fmt.Sprintf("/proc/self/fd/%d/.", from.Fd())); err != nil {
		return errdefs.System("copying the image's content into volume %s: %w", name, err)
	}
	return nil
}

// openWithin opens a directory of a volume. Its links are the containers' and stay inside.
func openWithin(dir, sub string) (*os.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.Open(sub)
	if err != nil {
		return nil, err
	}
	if st, err := f.Stat(); err != nil || !st.IsDir() {
		f.Close()
		return nil, fmt.Errorf("%s is no directory", sub)
	}
	return f, nil
}

func hasEntries(dir string) (bool, error) {
	d, err := os.Open(dir)
	if err != nil {
		return false, errdefs.System("opening a volume: %w", err)
	}
	defer d.Close()
	_, err = d.Readdirnames(1)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	return err == nil, err
}
