//go:build linux

package erofssnap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/detached"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// mountImage mounts an image on a directory: from its file (Linux 6.12), or else by a loop device that goes with the
// mount.
func mountImage(file, dir string) error {
	err := mountFile(file, dir)
	if errors.Is(err, unix.ENOTBLK) {
		m := mount.Mount{Type: "erofs", Source: file, Options: []string{"ro", "loop"}}
		return m.Mount(dir)
	}
	return err
}

func mountFile(file, dir string) error {
	fs, err := unix.Fsopen("erofs", unix.FSOPEN_CLOEXEC)
	if errors.Is(err, unix.ENODEV) {
		return errors.New("the kernel has no EROFS (modprobe erofs)")
	}
	if err != nil {
		return err
	}
	defer unix.Close(fs)
	if err := unix.FsconfigSetString(fs, "source", file); err != nil {
		return err
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return err
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_RDONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.MoveMount(fd, "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

func unmount(dir string) error {
	err := unix.Unmount(dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if err != nil && !errors.Is(err, unix.EINVAL) { // EINVAL: no mount any more
		return &os.PathError{Op: "unmount", Path: dir, Err: err}
	}
	return nil
}

// unmountBelow takes away what is mounted below a directory. The loop devices of such mounts go with them.
func unmountBelow(root string) error {
	list, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) {
		return !strings.HasPrefix(m.Mountpoint, root+"/"), false
	})
	if err != nil {
		return err
	}
	for i := len(list) - 1; i >= 0; i-- { // the last one of a place first
		if err := unmount(list[i].Mountpoint); err != nil {
			return err
		}
	}
	return nil
}

// share makes a directory a shared mount of its own, unless it lies on one. What is unmounted below it then goes from the
// mount namespaces too that were made meanwhile as slaves, as those of the supervisor's parked processes are: these would
// keep the file of a layer that is removed.
func share(dir string) error {
	list, err := mountinfo.GetMounts(mountinfo.ParentsFilter(dir))
	if err != nil {
		return err
	}
	var on *mountinfo.Info
	for _, m := range list {
		if on == nil || len(m.Mountpoint) >= len(on.Mountpoint) {
			on = m
		}
	}
	if on != nil && strings.Contains(on.Optional, "shared:") {
		return nil
	}
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		return &os.PathError{Op: "bind", Path: dir, Err: err}
	}
	if err := unix.Mount("", dir, "", unix.MS_SHARED, ""); err != nil {
		return &os.PathError{Op: "sharing the mount", Path: dir, Err: err}
	}
	return nil
}

// probe mounts an image, and an overlay on it, to see whether this machine does: the kernel may lack either, and file
// systems are not stacked more than twice on one another.
func probe(root string) (err error) {
	dir, err := os.MkdirTemp(root, "probe-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file, at, other := filepath.Join(dir, "image"), filepath.Join(dir, "mount"), filepath.Join(dir, "other")
	if err := errors.Join(os.Mkdir(at, 0o700), os.Mkdir(other, 0o700)); err != nil {
		return err
	}
	if err := convert(context.Background(), other, file); err != nil {
		return err
	}
	if err := mountImage(file, at); err != nil {
		return fmt.Errorf("mounting an image: %w", err)
	}
	defer func() { err = errors.Join(err, unmount(at)) }()
	f, err := detached.Root([]detached.Mount{{Type: "overlay", Source: "overlay", Options: []string{"ro", "lowerdir=" + at + ":" + other}}})
	if err != nil {
		return fmt.Errorf("an overlay on an image: %w", err)
	}
	return f.Close()
}
