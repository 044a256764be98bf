//go:build linux

package layertar

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"

	continuityfs "github.com/containerd/continuity/fs"
	"golang.org/x/sys/unix"
)

// InheritDirs gives the directories of a layer that it has entries in but does not describe the owner, mode, extended
// attributes and times that they have in the layers below, nearest first. Such a directory would otherwise hide the
// lower one behind root:root 0755.
func InheritDirs(layer string, dirs []string, lowers []string) error {
	sort.Strings(dirs) // parents before children
	for _, d := range dirs {
		dst, err := continuityfs.RootPath(layer, d)
		if err != nil {
			return fmt.Errorf("directory %s of the layer: %w", d, err)
		}
		if fi, err := os.Lstat(dst); err != nil || !fi.IsDir() {
			continue
		}
		if err := inheritDir(dst, d, lowers); err != nil {
			return err
		}
	}
	return nil
}

func inheritDir(dst, dir string, lowers []string) error {
	for _, lower := range lowers {
		src, err := continuityfs.RootPath(lower, dir)
		if err != nil {
			return fmt.Errorf("directory %s of a lower layer: %w", dir, err)
		}
		fi, err := os.Lstat(src)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return err
		}
		if !fi.IsDir() {
			return nil // replaced there: nothing to inherit
		}
		return copyAttributes(dst, src, fi)
	}
	return nil
}

func copyAttributes(dst, src string, fi fs.FileInfo) error {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	if err := os.Lchown(dst, int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	if err := unix.Chmod(dst, st.Mode&0o7777); err != nil {
		return fmt.Errorf("mode of %s: %w", filepath.Base(dst), err)
	}
	if err := copyXattrs(dst, src); err != nil {
		return err
	}
	times := []unix.Timespec{{Sec: st.Atim.Sec, Nsec: st.Atim.Nsec}, {Sec: st.Mtim.Sec, Nsec: st.Mtim.Nsec}}
	return unix.UtimesNanoAt(unix.AT_FDCWD, dst, times, unix.AT_SYMLINK_NOFOLLOW)
}

func copyXattrs(dst, src string) error {
	names := make([]byte, 64<<10)
	n, err := unix.Llistxattr(src, names)
	if err != nil {
		return nil // a file system without them
	}
	value := make([]byte, 64<<10)
	for name := range strings.SplitSeq(strings.TrimRight(string(names[:n]), "\x00"), "\x00") {
		if name == "" || steersOverlay(name) {
			continue
		}
		v, err := unix.Lgetxattr(src, name, value)
		if err != nil {
			continue // gone, or not for us
		}
		if err := unix.Lsetxattr(dst, name, value[:v], 0); err != nil && err != unix.ENOTSUP {
			return fmt.Errorf("attribute %s of %s: %w", name, filepath.Base(dst), err)
		}
	}
	return nil
}
