package stage

import (
	"fmt"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// attrs are the mount options that are attributes of the mount (mount_setattr(2)), and what clears them.
func attrOf(option string) (set, clear uint64, ok bool) {
	switch option {
	case "ro":
		return unix.MOUNT_ATTR_RDONLY, 0, true
	case "rw":
		return 0, unix.MOUNT_ATTR_RDONLY, true
	case "nosuid":
		return unix.MOUNT_ATTR_NOSUID, 0, true
	case "suid":
		return 0, unix.MOUNT_ATTR_NOSUID, true
	case "nodev":
		return unix.MOUNT_ATTR_NODEV, 0, true
	case "dev":
		return 0, unix.MOUNT_ATTR_NODEV, true
	case "noexec":
		return unix.MOUNT_ATTR_NOEXEC, 0, true
	case "exec":
		return 0, unix.MOUNT_ATTR_NOEXEC, true
	case "noatime":
		return unix.MOUNT_ATTR_NOATIME, unix.MOUNT_ATTR__ATIME, true
	case "relatime":
		return unix.MOUNT_ATTR_RELATIME, unix.MOUNT_ATTR__ATIME, true
	case "strictatime":
		return unix.MOUNT_ATTR_STRICTATIME, unix.MOUNT_ATTR__ATIME, true
	case "nodiratime":
		return unix.MOUNT_ATTR_NODIRATIME, 0, true
	case "nosymfollow":
		return unix.MOUNT_ATTR_NOSYMFOLLOW, 0, true
	}
	return 0, 0, false
}

func propagationOf(option string) (kind uint64, recursive, ok bool) {
	recursive = strings.HasPrefix(option, "r")
	switch strings.TrimPrefix(option, "r") {
	case "private":
		return unix.MS_PRIVATE, recursive, true
	case "slave":
		return unix.MS_SLAVE, recursive, true
	case "shared":
		return unix.MS_SHARED, recursive, true
	case "unbindable":
		return unix.MS_UNBINDABLE, recursive, true
	}
	return 0, false, false
}

// Supported says whether this package can make a mount as the specification has it.
func Supported(m *specs.Mount) bool {
	switch m.Type {
	case "proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "bind":
	default:
		return false
	}
	for _, o := range m.Options {
		_, _, attr := attrOf(o)
		_, _, prop := propagationOf(o)
		known := attr || prop || o == "bind" || o == "rbind" || o == "rro" || m.Type != "bind" && (strings.Contains(o, "=") || o == "newinstance")
		if !known {
			return false
		}
	}
	return len(m.UIDMappings)+len(m.GIDMappings) == 0
}

// makeMount makes a kernel file system that is attached nowhere.
func makeMount(m *specs.Mount) (int, error) {
	var attrs uint64
	fs, err := unix.Fsopen(m.Type, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fs)
	if err := unix.FsconfigSetString(fs, "source", m.Source); err != nil {
		return -1, err
	}
	for _, o := range m.Options {
		if set, clear, ok := attrOf(o); ok {
			attrs = attrs&^clear | set
			continue
		}
		if _, _, ok := propagationOf(o); ok {
			continue // a new mount is private
		}
		k, v, has := strings.Cut(o, "=")
		if has {
			err = unix.FsconfigSetString(fs, k, v)
		} else {
			err = unix.FsconfigSetFlag(fs, k)
		}
		if err != nil {
			return -1, fmt.Errorf("option %s: %w", o, err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, err
	}
	return unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, int(attrs))
}

// setAttrs applies a bind mount's options to its detached mount.
func setAttrs(fd int, m *specs.Mount) error {
	var own, deep unix.MountAttr
	for _, o := range m.Options {
		if set, clear, ok := attrOf(o); ok {
			own.Attr_set = own.Attr_set&^clear | set
			own.Attr_clr |= clear &^ unix.MOUNT_ATTR__ATIME
			if clear&unix.MOUNT_ATTR__ATIME != 0 {
				own.Attr_clr |= unix.MOUNT_ATTR__ATIME
			}
			continue
		}
		if kind, recursive, ok := propagationOf(o); ok {
			if recursive {
				deep.Propagation = kind
			} else {
				own.Propagation = kind
			}
		}
		if o == "rro" {
			deep.Attr_set |= unix.MOUNT_ATTR_RDONLY
		}
	}
	if deep != (unix.MountAttr{}) {
		if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &deep); err != nil {
			return err
		}
	}
	if own != (unix.MountAttr{}) {
		return unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &own)
	}
	return nil
}
