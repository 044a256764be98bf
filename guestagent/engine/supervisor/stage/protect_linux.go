package stage

import (
	"errors"
	"fmt"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/guestagent/engine/inroot"
)

// setSysctls writes the namespaced kernel parameters through our own procfs, never by a path that a mount or a link of
// the container could have moved (CVE-2025-52881).
func (a *assembly) setSysctls() error {
	for key, value := range a.spec.Sysctl {
		if err := a.writeProc("sys/"+strings.ReplaceAll(key, ".", "/"), value); err != nil {
			return step("setting sysctl "+key, err)
		}
	}
	return nil
}

func (a *assembly) writeProc(name, value string) error {
	if a.proc < 0 {
		return errors.New("the container has no /proc")
	}
	fd, err := unix.Openat2(a.proc, name, &unix.OpenHow{
		Flags:   unix.O_WRONLY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_SYMLINKS,
	})
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(value))
	return err
}

// protectPaths hides and freezes what of /proc and /sys tells about or changes the machine. Where a path does not
// exist there is nothing to protect.
func (a *assembly) protectPaths() error {
	for _, p := range a.spec.ReadonlyPaths {
		if err := a.freeze(p); err != nil {
			return step("making "+p+" read-only", err)
		}
	}
	if len(a.spec.MaskedPaths) == 0 {
		return nil
	}
	empty, err := makeMount(emptyDir())
	if err != nil {
		return step("making an empty directory", err)
	}
	defer unix.Close(empty)
	dir, file := &cover{fd: empty}, &cover{fd: a.null}
	for _, p := range a.spec.MaskedPaths {
		if err := a.mask(p, dir, file); err != nil {
			return step("masking "+p, err)
		}
	}
	return nil
}

func emptyDir() *specs.Mount {
	return &specs.Mount{Type: "tmpfs", Source: "tmpfs", Options: []string{"ro", "nosuid", "nodev", "noexec", "nr_blocks=1", "nr_inodes=1"}}
}

// sensitive opens a path to protect. Below /proc it starts from our own procfs; a link on the way is refused, since
// what it leads to is not what was to be protected. -1 means that there is nothing.
func (a *assembly) sensitive(name string) (int, error) {
	root, rel := a.root, strings.TrimLeft(name, "/")
	if below, ok := strings.CutPrefix(rel, "proc/"); ok && a.proc >= 0 {
		root, rel = a.proc, below
	}
	fd, err := inroot.Open(root, rel, unix.O_PATH, unix.RESOLVE_NO_SYMLINKS)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return -1, nil
	case errors.Is(err, unix.ELOOP):
		return -1, fmt.Errorf("%s is a symbolic link", name)
	}
	return fd, err
}

func (a *assembly) freeze(name string) error {
	at, err := a.sensitive(name)
	if err != nil || at < 0 {
		return err
	}
	defer unix.Close(at)
	tree, err := unix.OpenTree(at, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|unix.AT_RECURSIVE)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return err
	}
	return unix.MoveMount(tree, "", at, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
}

func (a *assembly) mask(name string, dir, file *cover) error {
	at, err := a.sensitive(name)
	if err != nil || at < 0 {
		return err
	}
	defer unix.Close(at)
	var st unix.Stat_t
	if err := unix.Fstat(at, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return dir.over(at)
	}
	return file.over(at)
}

// cover is a mount that hides several places. The first gets the mount itself, since Linux before 6.15 makes copies only
// of what is attached.
type cover struct {
	fd     int
	placed bool
}

func (c *cover) over(at int) error {
	tree := c.fd
	if c.placed {
		var err error
		if tree, err = unix.OpenTree(c.fd, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH); err != nil {
			return err
		}
		defer unix.Close(tree)
	}
	err := unix.MoveMount(tree, "", at, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
	c.placed = c.placed || err == nil
	return err
}
