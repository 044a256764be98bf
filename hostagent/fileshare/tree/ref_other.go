//go:build !linux

package tree

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"sort"
	"time"

	"github.com/berthhq/berth/internal/fusewire"
)

// Ref is a file by its path below the root.
type Ref struct {
	root *os.Root
	path string
}

func (r Ref) below(name string) string { return path.Join(r.path, name) }

// Close lets go of it.
func (r Ref) Close() {}

// Again pins the same path once more.
func (r Ref) Again() (Ref, error) { return r, nil }

// Proc names nothing here.
func (r Ref) Proc() string { return "" }

// Stat tells of the file itself.
func (r Ref) Stat() (Stat, error) {
	fi, err := r.root.Lstat(r.path)
	if err != nil {
		return Stat{}, plain(err)
	}
	return statOf(fi, r.path), nil
}

// StatName tells of an entry of the directory.
func (r Ref) StatName(name string) (Stat, error) {
	return Ref{root: r.root, path: r.below(name)}.Stat()
}

func statOf(fi fs.FileInfo, at string) Stat {
	mtime := timeOf(fi.ModTime(), fi.ModTime().Nanosecond())
	s := Stat{Attr: fusewire.Attr{
		Size: uint64(fi.Size()), Blocks: (uint64(fi.Size()) + 511) / 512, Mode: modeOf(fi.Mode()), Nlink: 1, Blksize: 4096,
		Atime: mtime, Mtime: mtime, Ctime: mtime,
	}}
	identify(&s, fi, at)
	s.Attr.Ino = s.ID.Ino
	return s
}

// Name pins an entry of the directory.
func (r Ref) Name(name string) (Ref, error) {
	c := Ref{root: r.root, path: r.below(name)}
	_, err := c.Stat()
	return c, err
}

func goFlags(flags uint32) int {
	out := os.O_RDONLY
	switch {
	case flags&ReadWrite != 0:
		out = os.O_RDWR
	case flags&WriteOnly != 0:
		out = os.O_WRONLY
	}
	if flags&Truncate != 0 {
		out |= os.O_TRUNC
	}
	return out // Append is by the position that the guest gives
}

// Open opens a regular file.
func (r Ref) Open(flags uint32) (*File, error) {
	st, err := r.Stat()
	if err != nil {
		return nil, err
	}
	switch st.Attr.Mode & fusewire.ModeType {
	case fusewire.ModeRegular:
	case fusewire.ModeDir:
		return nil, fusewire.EISDIR
	default:
		return nil, fusewire.EACCES
	}
	f, err := r.root.OpenFile(r.path, goFlags(flags), 0)
	if err != nil {
		return nil, plain(err)
	}
	return &File{f: f, ref: r}, nil
}

// Create makes a regular file in the directory and opens it; one that is there is EEXIST.
func (r Ref) Create(name string, flags, mode uint32) (*File, error) {
	c := Ref{root: r.root, path: r.below(name)}
	f, err := r.root.OpenFile(c.path, goFlags(flags)|os.O_CREATE|os.O_EXCL, fs.FileMode(mode&0o777))
	if err != nil {
		return nil, plain(err)
	}
	return &File{f: f, ref: c}, nil
}

// Tmpfile has no call here.
func (r Ref) Tmpfile(uint32, uint32) (*File, error) { return nil, fusewire.EOPNOTSUPP }

// Mkdir makes a directory.
func (r Ref) Mkdir(name string, mode uint32) error {
	return plain(r.root.Mkdir(r.below(name), fs.FileMode(mode&0o777)))
}

// Mknod makes an empty file; all else is refused.
func (r Ref) Mknod(name string, mode uint32) error {
	if mode&fusewire.ModeType != fusewire.ModeRegular {
		return fusewire.EPERM
	}
	f, err := r.Create(name, WriteOnly, mode)
	if err != nil {
		return err
	}
	return f.Close()
}

// Symlink makes a link.
func (r Ref) Symlink(target, name string) error { return plain(r.root.Symlink(target, r.below(name))) }

// Readlink reads a link.
func (r Ref) Readlink() (string, error) {
	s, err := r.root.Readlink(r.path)
	return s, plain(err)
}

// Unlink removes an entry that is no directory.
func (r Ref) Unlink(name string) error {
	st, err := r.StatName(name)
	if err != nil {
		return err
	}
	if st.Attr.Mode&fusewire.ModeType == fusewire.ModeDir {
		return fusewire.EISDIR
	}
	return plain(r.root.Remove(r.below(name)))
}

// Rmdir removes an empty directory.
func (r Ref) Rmdir(name string) error {
	st, err := r.StatName(name)
	if err != nil {
		return err
	}
	if st.Attr.Mode&fusewire.ModeType != fusewire.ModeDir {
		return fusewire.ENOTDIR
	}
	return plain(r.root.Remove(r.below(name)))
}

// Rename moves an entry over what is there; there is no call that exchanges, and none that spares what is there.
func (r Ref) Rename(name string, to Ref, toName string, flags uint32) error {
	if flags != 0 {
		return fusewire.EINVAL
	}
	return plain(r.root.Rename(r.below(name), to.below(toName)))
}

// Link gives the file another name in dir.
func (r Ref) Link(dir Ref, name string) error { return plain(r.root.Link(r.path, dir.below(name))) }

// Chmod sets permissions.
func (r Ref) Chmod(mode uint32) error { return plain(r.root.Chmod(r.path, fs.FileMode(mode&0o777))) }

// Truncate sets a regular file's size.
func (r Ref) Truncate(size int64) error {
	f, err := r.Open(WriteOnly)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Close())
}

// SetTimes sets times.
func (r Ref) SetTimes(t Times) error {
	pick := func(v *fusewire.Time, now bool) time.Time {
		switch {
		case now:
			return time.Now()
		case v == nil:
			return time.Time{} // left alone
		default:
			return time.Unix(v.Sec, int64(v.Nsec))
		}
	}
	return plain(r.root.Chtimes(r.path, pick(t.Atime, t.AtimeNow), pick(t.Mtime, t.MtimeNow)))
}

// Access asks whether the person may write: what can be opened tells the rest.
func (r Ref) Access(mask uint32) error {
	st, err := r.Stat()
	if err == nil && mask&2 != 0 && st.Attr.Mode&0o222 == 0 {
		err = fusewire.EACCES
	}
	return err
}

// Statfs shows a file system with room.
func (r Ref) Statfs() (Space, error) {
	const blocks = 1 << 32
	return Space{Blocks: blocks, Free: blocks / 2, Avail: blocks / 2, Files: blocks, FilesFree: blocks / 2, BlockSize: 4096, NameLen: 255}, nil
}

// Getxattr has no portable call.
func (r Ref) Getxattr(string, []byte) (int, error) { return 0, fusewire.EOPNOTSUPP }

// GetxattrName has no portable call.
func (r Ref) GetxattrName(string, string, []byte) (int, error) { return 0, fusewire.EOPNOTSUPP }

// Setxattr has no portable call.
func (r Ref) Setxattr(string, []byte, uint32) error { return fusewire.EOPNOTSUPP }

// Listxattr has no portable call.
func (r Ref) Listxattr() ([]string, error) { return nil, fusewire.EOPNOTSUPP }

// Removexattr has no portable call.
func (r Ref) Removexattr(string) error { return fusewire.EOPNOTSUPP }

// ReadDir calls each for the entries of the directory from a position on until it returns false. A position is a place in
// the sorted names.
func (r Ref) ReadDir(from uint64, each func(Entry) bool) error {
	d, err := r.root.Open(r.path)
	if err != nil {
		return plain(err)
	}
	found, err := d.ReadDir(-1)
	_ = d.Close()
	if err != nil {
		return plain(err)
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Name() < found[j].Name() })
	all := []Entry{{Name: ".", Type: fusewire.ModeDir}, {Name: "..", Type: fusewire.ModeDir}}
	for _, e := range found {
		all = append(all, Entry{Name: e.Name(), Type: modeOf(e.Type()) & fusewire.ModeType})
	}
	for i := min(from, uint64(len(all))); i < uint64(len(all)); i++ {
		all[i].Ino, all[i].Next = i+1, i+1
		if !each(all[i]) {
			break
		}
	}
	return nil
}

// Sync is not needed where a directory is durable by itself.
func (r Ref) Sync() error { return nil }
