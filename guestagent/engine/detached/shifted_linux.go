package detached

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"github.com/berthhq/berth/guestagent/engine/idmap"
	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"
)

// machineRoot is what the machine's root is on the disk of a shifted root. The kernel makes an overlay's work files as
// who mounts it, and refuses to write where that user has no id. No container has this one: theirs end at 1<<31 - 1.
const machineRoot = 1 << 31

// Shifted is Root for a container whose users are others on the machine: on the disk stand the ids of the container,
// as in its image, and in the root that is made those of the machine. It needs Linux 6.13 for an overlay (layers by
// descriptor) and a file system with idmapped mounts below it.
func Shifted(mounts []Mount, ids user.IdentityMapping) (*os.File, error) {
	if len(mounts) != 1 {
		return nil, errors.ErrUnsupported
	}
	extra := user.IDMap{ID: machineRoot, ParentID: 0, Count: 1}
	ns, err := idmap.Namespace(user.IdentityMapping{UIDMaps: append(slices.Clone(ids.UIDMaps), extra), GIDMaps: append(slices.Clone(ids.GIDMaps), extra)})
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	switch m := mounts[0]; m.Type {
	case "overlay":
		return shiftedOverlay(m.Options, ns)
	case "bind":
		tree, err := shiftedTree(m.Source, ns)
		if err == nil {
			tree, err = private(tree)
		}
		if err == nil && slices.Contains(m.Options, "ro") {
			err = unix.MountSetattr(int(tree.Fd()), "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
		}
		return tree, err
	}
	return nil, errors.ErrUnsupported
}

// shiftedTree is a copy of one mount with the ids of a user namespace.
func shiftedTree(path string, ns *os.File) (*os.File, error) {
	tree, err := Tree(path, false)
	if err != nil {
		return nil, err
	}
	err = unix.MountSetattr(int(tree.Fd()), "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(ns.Fd())})
	if err != nil {
		tree.Close()
		return nil, fmt.Errorf("mapping the ids of %s: %w", path, err)
	}
	return tree, nil
}

// shiftedOverlay mounts an overlay of shifted layers from its classic options.
func shiftedOverlay(options []string, ns *os.File) (*os.File, error) {
	fs, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fs)
	var layers held
	defer layers.close()
	attrs, upper, work := 0, "", ""
	for _, o := range options {
		k, v, has := strings.Cut(o, "=")
		switch {
		case k == "lowerdir":
			for _, dir := range strings.Split(v, ":") {
				if err = layers.lower(fs, dir, ns); err != nil {
					break
				}
			}
		case k == "upperdir":
			upper = v
		case k == "workdir":
			work = v
		case has:
			err = unix.FsconfigSetString(fs, k, v)
		case o == "ro":
			attrs |= unix.MOUNT_ATTR_RDONLY
		default:
			err = unix.FsconfigSetFlag(fs, o)
		}
		if err != nil {
			return nil, fmt.Errorf("mounting the root: option %s: %w", k, err)
		}
	}
	if upper != "" {
		if err := layers.upper(fs, upper, work, ns); err != nil {
			return nil, fmt.Errorf("mounting the root: %w", err)
		}
	}
	return finish(fs, attrs)
}

// held are the layers of an overlay that is being made: a detached mount can be used as long as it is open.
type held []*os.File

func (h *held) close() {
	for _, tree := range *h {
		tree.Close()
	}
}

func (h *held) lower(fs int, dir string, ns *os.File) error {
	tree, err := shiftedTree(dir, ns)
	if err != nil {
		return err
	}
	*h = append(*h, tree)
	return setFd(fs, "lowerdir+", int(tree.Fd()))
}

// upper sets the layer that is written and its work directory, which must be on one mount: they lie in one directory.
func (h *held) upper(fs int, upper, work string, ns *os.File) error {
	parent := filepath.Dir(upper)
	if filepath.Dir(work) != parent {
		return fmt.Errorf("%s and %s are not in one directory", upper, work)
	}
	tree, err := shiftedTree(parent, ns)
	if err != nil {
		return err
	}
	*h = append(*h, tree)
	for key, dir := range map[string]string{"upperdir": upper, "workdir": work} {
		fd, err := unix.Openat(int(tree.Fd()), filepath.Base(dir), unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
		err = setFd(fs, key, fd)
		unix.Close(fd)
		if err != nil {
			return fmt.Errorf("option %s: %w", key, err)
		}
	}
	return nil
}

// setFd gives a parameter of a mount a descriptor, for which package unix has no call.
func setFd(fs int, key string, fd int) error {
	name, err := unix.BytePtrFromString(key)
	if err != nil {
		return err
	}
	if _, _, errno := unix.Syscall6(unix.SYS_FSCONFIG, uintptr(fs), unix.FSCONFIG_SET_FD, uintptr(unsafe.Pointer(name)), 0, uintptr(fd), 0); errno != 0 {
		return errno
	}
	return nil
}
