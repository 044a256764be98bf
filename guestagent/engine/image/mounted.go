//go:build linux

package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/detached"
	"github.com/berthhq/berth/internal/errdefs"
	"golang.org/x/sys/unix"
)

// mountHoldPrefix begins the files, in a container's directory, of what it keeps of the images that are mounted in it.
const mountHoldPrefix = "image-"

// Hold keeps the layers of an image that container id mounts at its n-th place, until Release. dir is the container's.
func (s *Service) Hold(ctx context.Context, img *Image, id, dir string, n int) error {
	name := fmt.Sprintf("%s%d.json", mountHoldPrefix, n)
	s.holds.mu.Lock()
	s.holds.byID[id+"/"+name] = holdFor(img)
	s.holds.mu.Unlock()
	_, err := s.lowersOrUnpack(ctx, img)
	var b []byte
	if err == nil {
		b, err = json.Marshal(holdFor(img))
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
	}
	if err != nil {
		s.holds.mu.Lock()
		delete(s.holds.byID, id+"/"+name)
		s.holds.mu.Unlock()
		return fmt.Errorf("image %s of container %s: %w", img.Ref, id, err)
	}
	return nil
}

// MountReadOnly gives a directory with an image's files, which is there until done is called. What was bound from it in
// a container stays. The files must not be written to: they may be the image's own.
func (s *Service) MountReadOnly(ctx context.Context, img *Image) (dir string, done func(), err error) {
	lowers, err := s.lowersOrUnpack(ctx, img)
	if err != nil {
		return "", nil, fmt.Errorf("mounting image %s: %w", img.Ref, err)
	}
	if len(lowers) == 1 {
		return lowers[0], func() {}, nil
	}
	f, err := detached.Root([]detached.Mount{{Type: "overlay", Source: "overlay", Options: []string{"ro", "lowerdir=" + strings.Join(lowers, ":")}}})
	if err != nil {
		return "", nil, errdefs.System("mounting image %s: %w", img.Ref, err)
	}
	defer f.Close()
	if dir, err = os.MkdirTemp(s.mountsDir(), ""); err != nil {
		return "", nil, errdefs.System("mounting image %s: %w", img.Ref, err)
	}
	if err := unix.MoveMount(int(f.Fd()), "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		_ = os.Remove(dir)
		return "", nil, errdefs.System("mounting image %s: %w", img.Ref, err)
	}
	return dir, func() { _ = unmountDir(dir) }, nil
}

func (s *Service) mountsDir() string { return filepath.Join(s.layout.Images(), "mounts") }

// dropMounts takes back the mounts of an engine that was killed.
func (s *Service) dropMounts() error {
	if err := os.MkdirAll(s.mountsDir(), 0o700); err != nil {
		return fmt.Errorf("image store: %w", err)
	}
	list, err := os.ReadDir(s.mountsDir())
	if err != nil {
		return fmt.Errorf("image store: %w", err)
	}
	for _, d := range list {
		if err := unmountDir(filepath.Join(s.mountsDir(), d.Name())); err != nil {
			return fmt.Errorf("image store: %w", err)
		}
	}
	return nil
}

func unmountDir(dir string) error {
	if err := unix.Unmount(dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && !errors.Is(err, unix.EINVAL) { // EINVAL: no mount
		return &os.PathError{Op: "unmount", Path: dir, Err: err}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
