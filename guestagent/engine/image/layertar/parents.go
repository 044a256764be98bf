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

// Settle completes a layer that stands on others, nearest first, or on none: directories that it has entries in but does
// not describe get the owner, mode, extended attributes and times that they have there. Such a directory would otherwise
// hide the lower one behind root:root 0755.
func (a Applied) Settle(lowers []string) error {
	sort.Strings(a.Implied) // parents before children
	if a.image == nil {
		return inheritDirs(a.dir, a.Implied, lowers)
	}
	defer a.file.Close()
	if err := inheritNodes(tree{a.image.Root()}, a.Implied, lowers); err != nil {
		return err
	}
	return a.image.Finish()
}

// Drop lets go of a layer that is not wanted. Its files are the caller's to remove.
func (a Applied) Drop() {
	if a.file != nil {
		a.file.Close()
	}
}

func inheritDirs(layer string, dirs, lowers []string) error {
	for _, d := range dirs {
		dst, err := continuityfs.RootPath(layer, d)
		if err != nil {
			return fmt.Errorf("directory %s of the layer: %w", d, err)
		}
		if fi, err := os.Lstat(dst); err != nil || !fi.IsDir() {
			continue
		}
		src, fi, err := nearest(d, lowers)
		if err == nil && fi != nil {
			err = copyAttributes(dst, src, fi)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func inheritNodes(t tree, dirs, lowers []string) error {
	for _, d := range dirs {
		p, err := t.resolve(d)
		if err != nil {
			return fmt.Errorf("directory %s of the layer: %w", d, err)
		}
		n := t.at(p)
		if n == nil || !n.IsDir() {
			continue
		}
		src, fi, err := nearest(d, lowers)
		if err != nil {
			return err
		}
		if fi == nil {
			continue
		}
		if st, ok := fi.Sys().(*syscall.Stat_t); ok {
			n.UID, n.GID, n.Mode, n.Mtime = st.Uid, st.Gid, n.Kind()|st.Mode&0o7777, fi.ModTime()
		}
		err = readXattrs(src, func(name, value string) error {
			setXattr(n, name, value)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// nearest finds a directory in the layers below; no information where it is in none, or replaced by another file.
func nearest(dir string, lowers []string) (string, fs.FileInfo, error) {
	for _, lower := range lowers {
		src, err := continuityfs.RootPath(lower, dir)
		if err != nil {
			return "", nil, fmt.Errorf("directory %s of a lower layer: %w", dir, err)
		}
		fi, err := os.Lstat(src)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return "", nil, err
		}
		if !fi.IsDir() {
			return "", nil, nil
		}
		return src, fi, nil
	}
	return "", nil, nil
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
	return readXattrs(src, func(name, value string) error {
		if err := unix.Lsetxattr(dst, name, []byte(value), 0); err != nil && err != unix.ENOTSUP {
			return fmt.Errorf("attribute %s of %s: %w", name, filepath.Base(dst), err)
		}
		return nil
	})
}

// readXattrs gives each attribute of a file but those by which overlayfs is steered.
func readXattrs(src string, each func(name, value string) error) error {
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
		if err := each(name, string(value[:v])); err != nil {
			return err
		}
	}
	return nil
}
