//go:build linux

package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"golang.org/x/sys/unix"
)

// Owner is a user and a group of a container.
type Owner struct{ UID, GID int }

// WriteOptions say how an archive is put into a root.
type WriteOptions struct {
	// NoOverwriteDirNonDir refuses to replace a directory by something else, and the other way round.
	NoOverwriteDirNonDir bool
	// Owner is whom all is given to; nil keeps the archive's owners.
	Owner *Owner
}

// Write puts the files of a tar archive, which may be compressed, into a directory of the root. Names that lead out of the directory, and device
// nodes, are refused. Errors: NotFound where the directory is missing, Invalid for the archive.
func (r *Root) Write(dir string, in io.Reader, o WriteOptions) error {
	fd, err := r.open(dir, unix.O_PATH)
	if err != nil {
		return r.missing(dir, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return r.missing(dir, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return errdefs.Invalid("extraction point is not a directory: %s in container %s: not a directory", dir, r.name)
	}
	if err := r.writable(fd); err != nil {
		return err
	}
	w := &extraction{root: r, dir: path.Clean("/" + dir), opts: o, times: map[string]time.Time{}}
	files, err := plain(in)
	if err != nil {
		return err
	}
	defer files.Close()
	defer w.leave()
	t := tar.NewReader(files)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return w.finish()
		}
		if err != nil {
			return errdefs.Invalid("reading the archive: %w", err)
		}
		if err := w.entry(h, t); err != nil {
			return err
		}
	}
}

// writable refuses a directory on a mount that is read-only, as docker words it.
func (r *Root) writable(fd int) error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil || fs.Flags&unix.ST_RDONLY == 0 {
		return nil
	}
	var dir, root unix.Stat_t
	if unix.Fstat(fd, &dir) == nil && unix.Fstat(int(r.dir.Fd()), &root) == nil && dir.Dev == root.Dev {
		return errdefs.Invalid("container rootfs is marked read-only")
	}
	return errdefs.Invalid("mounted volume is marked read-only")
}

// extraction is one archive on its way into a root.
type extraction struct {
	root  *Root
	dir   string
	opts  WriteOptions
	times map[string]time.Time // of directories, set when nothing more is put into them
	at    string               // the directory that entries were last put into
	atFD  int                  // its descriptor while at is not empty
	buf   []byte               // contents on their way, copyBuffer long, from the first that is not empty
}

// copyBuffer is how much of a file is written at once, in bytes. Clients send chunks of 32 KiB; writing 256 KiB costs a
// third less of the kernel's time, and 1 MiB several times more, since it then looks for folios of that size.
const copyBuffer = 256 << 10

// place cleans a name of the archive; it must stay below the directory.
func (w *extraction) place(name string) (string, error) {
	if strings.ContainsRune(name, 0) {
		return "", errdefs.Invalid("invalid name in the archive: %q", name)
	}
	for _, part := range strings.Split(name, "/") {
		if part == ".." {
			return "", errdefs.Invalid("invalid name in the archive: %q leads out of %s", name, w.dir)
		}
	}
	return path.Join(w.dir, path.Clean("/"+name)), nil
}

func (w *extraction) entry(h *tar.Header, content io.Reader) error {
	name, err := w.place(h.Name)
	if err != nil {
		return err
	}
	if name == w.dir {
		return nil // the directory itself
	}
	parent, err := w.enter(path.Dir(name))
	if err != nil {
		return errdefs.System("making %s in the container: %w", path.Dir(name), err)
	}
	base := path.Base(name)
	if err := w.clear(parent, base, h); err != nil {
		return err
	}
	if err := w.make(parent, base, h, content); err != nil {
		var e *errdefs.Error
		if errors.As(err, &e) {
			return err
		}
		return errdefs.System("writing %s in the container: %w", name, err)
	}
	if h.Typeflag == tar.TypeDir {
		w.times[name] = h.ModTime
	}
	return nil
}

// enter gives the descriptor of a directory inside the root, and keeps it until an entry of another directory comes:
// archives name the files of a directory one after the other.
func (w *extraction) enter(dir string) (int, error) {
	if w.at == dir {
		return w.atFD, nil
	}
	w.leave()
	fd, err := w.parent(dir)
	if err == nil {
		w.at, w.atFD = dir, fd
	}
	return fd, err
}

// leave lets go of the directory that enter holds.
func (w *extraction) leave() {
	if w.at != "" {
		unix.Close(w.atFD)
		w.at = ""
	}
}

// parent opens a directory inside the root and makes what is missing of it.
func (w *extraction) parent(name string) (int, error) {
	fd, err := w.root.open(name, unix.O_PATH|unix.O_DIRECTORY)
	if !errors.Is(err, unix.ENOENT) || name == "/" {
		return fd, err
	}
	up, err := w.parent(path.Dir(name))
	if err != nil {
		return -1, err
	}
	defer unix.Close(up)
	err = unix.Mkdirat(up, path.Base(name), 0o755)
	if err == nil && !w.root.ids.Empty() {
		uid, gid := w.root.ids.RootPair()
		err = unix.Fchownat(up, path.Base(name), uid, gid, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, err
	}
	return unix.Openat(up, path.Base(name), unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

// clear removes what stands where an entry is to be. A directory stays for a directory.
func (w *extraction) clear(parent int, base string, h *tar.Header) error {
	var st unix.Stat_t
	if err := unix.Fstatat(parent, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return nil
	}
	isDir, wantDir := st.Mode&unix.S_IFMT == unix.S_IFDIR, h.Typeflag == tar.TypeDir
	if w.opts.NoOverwriteDirNonDir && isDir != wantDir {
		if isDir {
			return errdefs.Invalid("cannot overwrite directory %q with non-directory %q", path.Join(w.dir, h.Name), w.dir)
		}
		return errdefs.Invalid("cannot overwrite non-directory %q with directory %q", path.Join(w.dir, h.Name), w.dir)
	}
	if isDir && wantDir {
		return nil
	}
	if !isDir {
		return unix.Unlinkat(parent, base, 0)
	}
	dir, err := os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", parent))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.RemoveAll(base)
}

// make makes one file. It did not exist a moment ago; if it does now, somebody in the container is racing us, and the
// exclusive calls fail.
func (w *extraction) make(parent int, base string, h *tar.Header, content io.Reader) error {
	uid, gid := h.Uid, h.Gid
	if o := w.opts.Owner; o != nil {
		uid, gid = o.UID, o.GID
	}
	uid, gid, err := w.root.ids.ToHost(uid, gid)
	if err != nil {
		return errdefs.Invalid("%s: %w", h.Name, err)
	}
	mode := uint32(h.Mode & 0o7777)
	switch h.Typeflag {
	case tar.TypeDir:
		if err := unix.Mkdirat(parent, base, mode); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
		return own(parent, base, uid, gid, mode, unix.O_DIRECTORY)
	case tar.TypeReg, '\x00': // tar.TypeRegA, of old archives
		return w.file(parent, base, h, content, uid, gid)
	case tar.TypeSymlink:
		if err := unix.Symlinkat(h.Linkname, parent, base); err != nil {
			return err
		}
		return unix.Fchownat(parent, base, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
	case tar.TypeLink:
		return w.link(parent, base, h)
	case tar.TypeFifo:
		if err := unix.Mknodat(parent, base, unix.S_IFIFO|mode, 0); err != nil {
			return err
		}
		return unix.Fchownat(parent, base, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
	case tar.TypeXGlobalHeader:
		return nil
	case tar.TypeChar, tar.TypeBlock:
		return errdefs.Invalid("%s is a device: devices are not copied into a container", h.Name)
	}
	return errdefs.Invalid("%s: unhandled tar header type %d", h.Name, h.Typeflag)
}

func (w *extraction) file(parent int, base string, h *tar.Header, content io.Reader, uid, gid int) error {
	fd, err := unix.Openat(parent, base, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), base)
	defer f.Close()
	if err := w.copy(f, content, h.Size); err != nil {
		return err
	}
	if err := f.Chown(uid, gid); err != nil {
		return err
	}
	if err := unix.Fchmod(fd, uint32(h.Mode&0o7777)); err != nil {
		return err
	}
	if v, ok := h.PAXRecords["SCHILY.xattr.security.capability"]; ok {
		unix.Fsetxattr(fd, "security.capability", []byte(v), 0) // a file system without them has none to lose
	}
	t := unix.NsecToTimeval(h.ModTime.UnixNano())
	return unix.Futimes(fd, []unix.Timeval{t, t})
}

// copy writes the content of a file of so many bytes.
func (w *extraction) copy(f *os.File, content io.Reader, size int64) error {
	if w.buf == nil && size > 0 {
		w.buf = make([]byte, copyBuffer)
	}
	for size > 0 {
		part := w.buf[:min(size, copyBuffer)]
		if _, err := io.ReadFull(content, part); err != nil {
			return err
		}
		if _, err := f.Write(part); err != nil {
			return err
		}
		size -= int64(len(part))
	}
	return nil
}

// link makes a hard link to a file of the same archive, found inside the root.
func (w *extraction) link(parent int, base string, h *tar.Header) error {
	target, err := w.place(h.Linkname)
	if err != nil {
		return err
	}
	dir, err := w.root.open(path.Dir(target), unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	return unix.Linkat(dir, path.Base(target), parent, base, 0)
}

// own sets owner and mode through a descriptor that no link led to.
func own(parent int, base string, uid, gid int, mode uint32, flags int) error {
	fd, err := unix.Openat(parent, base, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK|flags, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Fchown(fd, uid, gid); err != nil {
		return err
	}
	return unix.Fchmod(fd, mode)
}

// finish sets the times of directories.
func (w *extraction) finish() error {
	for name, at := range w.times {
		fd, err := w.root.open(name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW)
		if err != nil {
			continue // gone or replaced meanwhile
		}
		t := unix.NsecToTimeval(at.UnixNano())
		err = unix.Futimes(fd, []unix.Timeval{t, t})
		unix.Close(fd)
		if err != nil {
			return errdefs.System("setting the time of %s: %w", name, err)
		}
	}
	return nil
}
