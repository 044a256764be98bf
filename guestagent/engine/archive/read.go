//go:build linux

package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"
)

// Read gives a path of the root as tar: the file alone, or the directory with all that is in it, under its own name.
// The archive is written as it is read; what goes wrong on the way ends it with an error.
func (r *Root) Read(name string) (io.ReadCloser, container.PathStat, error) {
	fd, base, err := r.locate(name)
	if err != nil {
		return nil, container.PathStat{}, r.missing(name, err)
	}
	st, err := r.statOf(fd, base, name)
	if err != nil {
		unix.Close(fd)
		return nil, st, err
	}
	// docker: of "dir/." the content is meant, as "./file", and so it is of "." and "/./". Clients put another name in
	// place of the dot, or of the slash that all names begin with when "/" is read.
	if path.Base(name) == "." {
		base = "."
	}
	pr, pw := io.Pipe()
	go func() {
		defer unix.Close(fd)
		w := newWriter(pw, r.ids)
		err := w.add(fd, base)
		if err == nil {
			err = w.tar.Close()
		}
		pw.CloseWithError(err)
	}()
	return pr, st, nil
}

// Export writes the whole root as tar. Only the root's own file system is read: what is mounted on it (proc, volumes)
// is left out, as docker does.
func (r *Root) Export(to io.Writer) error {
	w := newWriter(to, r.ids)
	fd, err := r.open(".", unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	w.dev = &st.Dev
	if err := w.children(fd, ""); err != nil {
		return err
	}
	return w.tar.Close()
}

type inode struct{ dev, ino uint64 }

// writer puts files into an archive. Files with several names are stored once.
type writer struct {
	tar  *tar.Writer
	seen map[inode]string
	dev  *uint64 // if set, the only device that is read
	ids  user.IdentityMapping
}

func newWriter(w io.Writer, ids user.IdentityMapping) *writer {
	return &writer{tar: tar.NewWriter(w), seen: map[inode]string{}, ids: ids}
}

// add writes what an O_PATH descriptor stands for.
func (w *writer) add(fd int, name string) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if w.dev != nil && st.Dev != *w.dev {
		return nil
	}
	h, err := w.header(fd, name, &st)
	if err != nil || h == nil {
		return err
	}
	if err := w.tar.WriteHeader(h); err != nil {
		return err
	}
	switch {
	case h.Typeflag == tar.TypeReg && h.Size > 0:
		return w.content(fd, h.Size)
	case h.Typeflag == tar.TypeDir:
		return w.children(fd, name)
	}
	return nil
}

// header describes a file; nil for a socket, which an archive cannot hold.
func (w *writer) header(fd int, name string, st *unix.Stat_t) (*tar.Header, error) {
	uid, gid := inContainer(w.ids, int(st.Uid), int(st.Gid))
	h := &tar.Header{
		Name: name, Mode: int64(st.Mode & 0o7777), Uid: uid, Gid: gid,
		ModTime: time.Unix(st.Mtim.Unix()), Format: tar.FormatPAX,
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		h.Typeflag, h.Name = tar.TypeDir, strings.TrimSuffix(name, "/")+"/"
	case unix.S_IFREG:
		h.Typeflag, h.Size = tar.TypeReg, st.Size
		if st.Nlink > 1 {
			k := inode{st.Dev, st.Ino}
			if first, ok := w.seen[k]; ok {
				h.Typeflag, h.Size, h.Linkname = tar.TypeLink, 0, first
			} else {
				w.seen[k] = name
			}
		}
	case unix.S_IFLNK:
		target, err := readLink(fd)
		if err != nil {
			return nil, err
		}
		h.Typeflag, h.Linkname = tar.TypeSymlink, target
	case unix.S_IFCHR, unix.S_IFBLK:
		h.Typeflag = tar.TypeChar
		if st.Mode&unix.S_IFMT == unix.S_IFBLK {
			h.Typeflag = tar.TypeBlock
		}
		h.Devmajor, h.Devminor = int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
	case unix.S_IFIFO:
		h.Typeflag = tar.TypeFifo
	default:
		return nil, nil
	}
	w.capability(fd, h)
	return h, nil
}

// capability keeps a file's capabilities, which docker keeps too.
func (w *writer) capability(fd int, h *tar.Header) {
	if h.Typeflag != tar.TypeReg {
		return
	}
	buf := make([]byte, 64)
	n, err := unix.Getxattr(fmt.Sprintf("/proc/self/fd/%d", fd), "security.capability", buf)
	if err == nil && n > 0 {
		h.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": string(buf[:n])}
	}
}

// content writes exactly size bytes of a file, whatever happens to it meanwhile.
func (w *writer) content(fd int, size int64) error {
	f, err := reopen(fd, unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := io.CopyN(w.tar, f, size)
	if errors.Is(err, io.EOF) { // it became shorter
		_, err = io.CopyN(w.tar, zeros{}, size-n)
	}
	return err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// reopen opens the very file that an O_PATH descriptor stands for.
func reopen(fd, flags int) (*os.File, error) {
	n, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), flags|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(n), "file"), nil
}

// under is the name of a directory's entry. The directories "." and "/" stay in sight.
func under(dir, name string) string {
	switch dir {
	case "", "/":
		return dir + name
	}
	return dir + "/" + name
}

// children writes the entries of a directory, in order. Each is opened in the directory itself and never through a link.
func (w *writer) children(fd int, name string) error {
	d, err := reopen(fd, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	names, err := d.Readdirnames(-1)
	d.Close()
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, n := range names {
		child, err := unix.Openat(fd, n, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.ENOENT) {
			continue // removed meanwhile
		}
		if err != nil {
			return err
		}
		err = w.add(child, under(name, n))
		unix.Close(child)
		if err != nil {
			return err
		}
	}
	return nil
}
