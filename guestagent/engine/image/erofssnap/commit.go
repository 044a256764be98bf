//go:build linux

package erofssnap

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/berthhq/berth/guestagent/engine/image/erofs"
	"github.com/containerd/containerd/v2/core/snapshots"
	"golang.org/x/sys/unix"
)

// Commit implements snapshots.Snapshotter. A snapshot that got no image is made into one here.
//
// The record is committed before the image gets its name, and before the files go that it was made of: of a commit that
// is cut short the next engine finds a directory as it was, or does the rest.
func (s *Snapshotter) Commit(ctx context.Context, name, key string, opts ...snapshots.Opt) error {
	id, _, err := s.find(ctx, key)
	if err != nil {
		return err
	}
	dir := filepath.Join(s.dir, id)
	image := s.layer(id) + newSuffix
	filled := false
	switch _, err := os.Lstat(image); {
	case err == nil:
		filled = true
	case errors.Is(err, fs.ErrNotExist):
		if err := convert(ctx, filepath.Join(dir, filesName), image); err != nil {
			_ = os.Remove(image)
			return fmt.Errorf("making an image of snapshot %s: %w", key, err)
		}
	default:
		return err
	}
	if err := s.commit(ctx, name, key, id, opts); err != nil {
		if !filled {
			_ = os.Remove(image)
		}
		return err
	}
	return os.RemoveAll(filepath.Join(dir, emptiedDir))
}

func (s *Snapshotter) commit(ctx context.Context, name, key, id string, opts []snapshots.Opt) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.Snapshotter.Commit(ctx, name, key, opts...); err != nil {
		return err
	}
	if err := os.Rename(s.layer(id)+newSuffix, s.layer(id)); err != nil {
		return err
	}
	return empty(filepath.Join(s.dir, id))
}

// convert writes an image of a directory, synced: the files that it was made of are removed afterwards.
func convert(ctx context.Context, dir, file string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	w, err := erofs.NewWriter(f)
	if err != nil {
		return err
	}
	c := converter{ctx: ctx, w: w, seen: map[inode]*erofs.Node{}}
	if err := c.into(w.Root(), dir); err != nil {
		return err
	}
	if err := w.Finish(); err != nil {
		return err
	}
	return unix.Fdatasync(int(f.Fd()))
}

type inode struct{ dev, ino uint64 }

// converter reads a directory that nobody writes to.
type converter struct {
	ctx  context.Context //nolint:containedctx // of one call of convert
	w    *erofs.Writer
	seen map[inode]*erofs.Node // files of several names
}

// into describes a directory and what is in it.
func (c *converter) into(n *erofs.Node, dir string) error {
	if err := describe(n, dir); err != nil {
		return err
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, d := range list {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		child, err := c.node(filepath.Join(dir, d.Name()))
		if err != nil {
			return err
		}
		n.Set(d.Name(), child)
	}
	return nil
}

func (c *converter) node(path string) (*erofs.Node, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return nil, &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		n := erofs.NewDir(0)
		return n, c.into(n, path)
	}
	id := inode{st.Dev, st.Ino}
	if n := c.seen[id]; n != nil {
		return n, nil
	}
	n := &erofs.Node{}
	if st.Nlink > 1 {
		c.seen[id] = n
	}
	if err := describe(n, path); err != nil {
		return nil, err
	}
	switch n.Kind() {
	case erofs.TypeLink:
		to, err := os.Readlink(path)
		n.Target = to
		return n, err
	case erofs.TypeFile:
		f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return n, c.w.Data(n, f)
	}
	return n, nil
}

// describe gives a node everything of a file but its bytes. Attributes of overlayfs are kept: they mean the same in a
// layer.
func describe(n *erofs.Node, path string) error {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	n.Mode, n.UID, n.GID, n.Rdev = st.Mode, st.Uid, st.Gid, uint32(st.Rdev)
	n.Mtime = time.Unix(st.Mtim.Unix())
	names, err := attributes(func(b []byte) (int, error) { return unix.Llistxattr(path, b) })
	if errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	if err != nil {
		return &os.PathError{Op: "listxattr", Path: path, Err: err}
	}
	for name := range strings.SplitSeq(strings.TrimRight(names, "\x00"), "\x00") {
		if _, _, ok := erofs.SplitXattr(name); !ok {
			continue
		}
		v, err := attributes(func(b []byte) (int, error) { return unix.Lgetxattr(path, name, b) })
		if err != nil {
			return &os.PathError{Op: "getxattr " + name, Path: path, Err: err}
		}
		if n.Xattrs == nil {
			n.Xattrs = map[string]string{}
		}
		n.Xattrs[name] = v
	}
	return nil
}

// attributes calls a function that fills a buffer until it is large enough.
func attributes(read func([]byte) (int, error)) (string, error) {
	for size := 256; ; size *= 4 {
		b := make([]byte, size)
		n, err := read(b)
		if err == syscall.ERANGE && size < 1<<20 {
			continue
		}
		if err != nil {
			return "", err
		}
		return string(b[:n]), nil
	}
}
