//go:build linux

package image

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/v2/pkg/archive"
	"github.com/containerd/continuity/fs"

	"github.com/berthhq/berth/guestagent/engine/detached"
)

// WriteDiff writes what a container has changed in an image's files as a layer: a tar with whiteouts. dir is the
// container's directory; skip says what is no change of its own. The container must not run meanwhile.
func (s *Service) WriteDiff(ctx context.Context, img *Image, dir string, skip func(name string) bool, w io.Writer) error {
	lowers, err := s.lowersOrUnpack(ctx, img)
	if err != nil {
		return err
	}
	base, done, err := mergedView(lowers)
	if err != nil {
		return fmt.Errorf("mounting the image's layers: %w", err)
	}
	defer done()
	upper := filepath.Join(dir, upperName)
	cw := archive.NewChangeWriter(w, upper)
	err = fs.DiffDirChanges(ctx, base, upper, fs.DiffSourceOverlayFS, func(k fs.ChangeKind, name string, fi os.FileInfo, err error) error {
		if skip(name) {
			return nil
		}
		return cw.HandleChange(k, name, fi, err)
	})
	if err != nil {
		return fmt.Errorf("reading the changes: %w", err)
	}
	return cw.Close()
}

// mergedView is a directory that shows layers as one.
func mergedView(lowers []string) (dir string, done func(), err error) {
	if len(lowers) == 1 {
		return lowers[0], func() {}, nil
	}
	f, err := detached.Root([]detached.Mount{{Type: "overlay", Source: "overlay", Options: []string{"ro", "lowerdir=" + strings.Join(lowers, ":")}}})
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d", f.Fd()), func() { f.Close() }, nil
}
