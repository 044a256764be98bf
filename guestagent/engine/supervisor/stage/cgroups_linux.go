package stage

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// makeCgroups makes the tree of /sys/fs/cgroup: one file system with cgroup v2 alone, else a tmpfs with a directory a
// hierarchy. It must run in a cgroup namespace of its own, so that the container sees its own cgroup as the root.
func makeCgroups(m *specs.Mount) (int, error) {
	var st unix.Statfs_t
	if err := unix.Statfs("/sys/fs/cgroup", &st); err != nil {
		return -1, err
	}
	if st.Type == unix.CGROUP2_SUPER_MAGIC {
		return makeMount(&specs.Mount{Type: "cgroup2", Source: "cgroup", Options: m.Options})
	}
	return makeCgroupsV1(m)
}

func makeCgroupsV1(m *specs.Mount) (int, error) {
	list, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return -1, err
	}
	fd, err := makeMount(&specs.Mount{Type: "tmpfs", Source: "tmpfs", Options: []string{"mode=755", "nosuid", "noexec", "nodev"}})
	if err != nil {
		return -1, err
	}
	// Before Linux 6.15 a mount can only be put on one that is attached: the machine's own tree is covered, in a
	// namespace that is ours alone, until ours is moved to its place.
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, "/sys/fs/cgroup", unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return -1, err
	}
	for line := range bytes.Lines(list) {
		parts := strings.SplitN(strings.TrimSpace(string(line)), ":", 3)
		if len(parts) != 3 || parts[1] == "" {
			continue
		}
		if err := addHierarchy(fd, parts[1], m.Options); err != nil {
			return -1, fmt.Errorf("hierarchy %s: %w", parts[1], err)
		}
	}
	if err := setAttrs(fd, &specs.Mount{Options: []string{"ro"}}); err != nil {
		return -1, err
	}
	return fd, nil
}

func addHierarchy(root int, controllers string, options []string) error {
	name := strings.TrimPrefix(controllers, "name=")
	fs := specs.Mount{Type: "cgroup", Source: "cgroup"}
	sub, err := unix.Fsopen(fs.Type, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(sub)
	for _, c := range strings.Split(controllers, ",") {
		if v, named := strings.CutPrefix(c, "name="); named {
			err = unix.FsconfigSetString(sub, "name", v)
			if err == nil {
				err = unix.FsconfigSetFlag(sub, "none")
			}
		} else {
			err = unix.FsconfigSetFlag(sub, c)
		}
		if err != nil {
			return err
		}
	}
	if err := unix.FsconfigCreate(sub); err != nil {
		return err
	}
	var attrs uint64
	for _, o := range options {
		set, clear, _ := attrOf(o)
		attrs = attrs&^clear | set
	}
	mnt, err := unix.Fsmount(sub, unix.FSMOUNT_CLOEXEC, int(attrs))
	if err != nil {
		return err
	}
	defer unix.Close(mnt)
	dir := path.Base(name)
	if err := unix.Mkdirat(root, dir, 0o755); err != nil {
		return err
	}
	if err := unix.MoveMount(mnt, "", root, dir, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return err
	}
	for _, c := range strings.Split(name, ",") {
		if c != dir {
			if err := unix.Symlinkat(dir, root, c); err != nil {
				return err
			}
		}
	}
	return nil
}
