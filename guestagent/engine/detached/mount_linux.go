package detached

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Root makes a container's root: one overlay or bind, as package image describes it. Errors: errors.ErrUnsupported for
// other mounts.
func Root(mounts []Mount) (*os.File, error) {
	if len(mounts) != 1 {
		return nil, errors.ErrUnsupported
	}
	m := mounts[0]
	switch m.Type {
	case "overlay":
		return overlay(m.Options)
	case "bind":
		if slices.Contains(m.Options, "ro") {
			return nil, errors.ErrUnsupported
		}
		root, err := Tree(m.Source, slices.Contains(m.Options, "rbind"))
		if err != nil {
			return nil, err
		}
		return private(root)
	}
	return nil, errors.ErrUnsupported
}

// overlay mounts an overlay from its classic options. Each lower layer is given by itself (lowerdir+, Linux 6.5), since
// one parameter holds no more than 255 bytes.
func overlay(options []string) (*os.File, error) {
	fs, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fs)
	set := func(k, v string) error {
		if err := unix.FsconfigSetString(fs, k, v); err != nil {
			return fmt.Errorf("mounting the root: option %s: %w", k, err)
		}
		return nil
	}
	var attrs int
	for _, o := range options {
		k, v, has := strings.Cut(o, "=")
		switch {
		case k == "lowerdir":
			for _, dir := range strings.Split(v, ":") {
				if err := set("lowerdir+", dir); err != nil {
					return nil, err
				}
			}
		case has:
			if err := set(k, v); err != nil {
				return nil, err
			}
		case o == "ro":
			attrs |= unix.MOUNT_ATTR_RDONLY
		default:
			if err := unix.FsconfigSetFlag(fs, o); err != nil {
				return nil, fmt.Errorf("mounting the root: option %s: %w", o, err)
			}
		}
	}
	return finish(fs, attrs)
}

// finish makes the mount that a file system context has been told of.
func finish(fs, attrs int) (*os.File, error) {
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, fmt.Errorf("mounting the root: %w", err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, attrs)
	if err != nil {
		return nil, fmt.Errorf("mounting the root: %w", err)
	}
	return os.NewFile(uintptr(fd), "rootfs"), nil
}

// private ends a tree's part in the propagation of the mounts it was copied from: they are shared on most machines, and
// nobody's root can be one that is (pivot_root(2)).
func private(tree *os.File) (*os.File, error) {
	err := unix.MountSetattr(int(tree.Fd()), "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{Propagation: unix.MS_PRIVATE})
	if err != nil {
		tree.Close()
		return nil, fmt.Errorf("making %s private: %w", tree.Name(), err)
	}
	return tree, nil
}

// Tree takes a copy of the mount at a path of the machine, with those below it or alone.
func Tree(path string, recursive bool) (*os.File, error) {
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, flags)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}
