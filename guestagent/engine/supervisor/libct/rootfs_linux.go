//go:build cgo && seccomp

package libct

import (
	"errors"
	"fmt"
	"github.com/berthhq/berth/guestagent/engine/detached"
	"os"
	"path/filepath"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/moby/sys/mountinfo"
	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"
)

// mountRoot mounts the root filesystem of a container, shifted where it has a mapping. On failure nothing is mounted.
func mountRoot(in *proto.Start) error {
	mounts, path := in.Rootfs, in.RootfsPath
	ids := mapping(in.Spec)
	if err := os.MkdirAll(path, 0o711); err != nil {
		return err
	}
	if err := admit(filepath.Dir(path), ids); err != nil {
		return err
	}
	err := attach(mounts, path, ids)
	if err != nil && ids.Empty() {
		err = classic(mounts, path)
	}
	if err != nil {
		unmountRoot(path)
		os.Remove(path)
	}
	return err
}

// attach mounts with the new mount API, which knows no limit for the number of layers.
func attach(mounts []proto.Mount, path string, ids user.IdentityMapping) error {
	var root *os.File
	var err error
	if ids.Empty() {
		root, err = detached.Root(mounts)
	} else {
		root, err = detached.Shifted(mounts, ids)
	}
	if err != nil {
		return err
	}
	defer root.Close()
	err = unix.MoveMount(int(root.Fd()), "", unix.AT_FDCWD, path, unix.MOVE_MOUNT_F_EMPTY_PATH)
	if err != nil {
		return fmt.Errorf("mounting the root at %s: %w", path, err)
	}
	return nil
}

// classic mounts with mount(2).
func classic(mounts []proto.Mount, path string) error {
	for _, m := range mounts {
		flags, data := options(m.Options)
		if m.Type == "bind" {
			flags |= unix.MS_BIND
		}
		if err := unix.Mount(m.Source, path, m.Type, flags, data); err != nil {
			return fmt.Errorf("mounting %s %s at %s: %w", m.Type, m.Source, path, err)
		}
		if flags&unix.MS_BIND != 0 && flags&unix.MS_RDONLY != 0 {
			if err := unix.Mount("", path, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
				return fmt.Errorf("mounting %s at %s read-only: %w", m.Source, path, err)
			}
		}
	}
	return nil
}

func options(list []string) (flags uintptr, data string) {
	known := map[string]uintptr{
		"ro": unix.MS_RDONLY, "rw": 0, "bind": unix.MS_BIND, "rbind": unix.MS_BIND | unix.MS_REC, "nosuid": unix.MS_NOSUID,
		"nodev": unix.MS_NODEV, "noexec": unix.MS_NOEXEC, "noatime": unix.MS_NOATIME, "relatime": unix.MS_RELATIME,
	}
	var rest []string
	for _, o := range list {
		if f, ok := known[o]; ok {
			flags |= f
		} else {
			rest = append(rest, o)
		}
	}
	return flags, strings.Join(rest, ",")
}

// unmountRoot takes the root out of the machine's mounts; the container keeps its own. The empty directory stays as
// long as the container, since libcontainer begins every process of it there.
func unmountRoot(path string) error {
	for {
		err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			return nil // nothing is mounted there any more
		}
		if err != nil {
			return fmt.Errorf("unmounting %s: %w", path, err)
		}
	}
}

// keepPrivate sees that what is mounted below dir is seen in no other mount namespace: such a copy would hold a root
// long after its container. It is nothing to do where the machine shares no mounts.
func keepPrivate(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	mounts, err := mountinfo.GetMounts(mountinfo.ParentsFilter(dir))
	if err != nil {
		return err
	}
	var over *mountinfo.Info
	for _, m := range mounts {
		if over == nil || len(m.Mountpoint) >= len(over.Mountpoint) {
			over = m
		}
	}
	if over == nil || !strings.Contains(over.Optional, "shared:") {
		return nil
	}
	if over.Mountpoint != dir {
		if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("making %s a mount: %w", dir, err)
		}
	}
	if err := unix.Mount("", dir, "", unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making the mounts below %s private: %w", dir, err)
	}
	return nil
}

// Leave takes away what New mounted for the roots of containers. Those that run keep theirs.
func Leave(rootfs string) error {
	err := unix.Unmount(rootfs, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if err == nil || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		return nil // EINVAL: nothing is mounted there
	}
	return fmt.Errorf("unmounting %s: %w", rootfs, err)
}
