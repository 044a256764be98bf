package tree

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/internal/fusewire"
)

// Ref is a pinned file: an O_PATH descriptor. Its methods never resolve more than one name below it.
type Ref struct{ fd int }

// Close lets go of it.
func (r Ref) Close() { _ = unix.Close(r.fd) }

// Again pins the same file once more.
func (r Ref) Again() (Ref, error) {
	fd, err := unix.FcntlInt(uintptr(r.fd), unix.F_DUPFD_CLOEXEC, 3)
	return Ref{fd: fd}, plain(err)
}

// Proc names the file by its descriptor, for calls that take only a path.
func (r Ref) Proc() string { return "/proc/self/fd/" + strconv.Itoa(r.fd) }

const statMask = unix.STATX_BASIC_STATS | unix.STATX_BTIME

// Stat tells of the file itself.
func (r Ref) Stat() (Stat, error) { return statx(r.fd, "", unix.AT_EMPTY_PATH) }

// StatName tells of an entry of the directory.
func (r Ref) StatName(name string) (Stat, error) {
	return statx(r.fd, name, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT)
}

func statx(fd int, name string, flags int) (Stat, error) {
	var x unix.Statx_t
	if err := unix.Statx(fd, name, flags, statMask, &x); err != nil {
		return Stat{}, plain(err)
	}
	at := func(t unix.StatxTimestamp) fusewire.Time { return fusewire.Time{Sec: t.Sec, Nsec: t.Nsec} }
	s := Stat{
		ID: ID{Dev: unix.Mkdev(x.Dev_major, x.Dev_minor), Ino: x.Ino},
		Attr: fusewire.Attr{
			Ino: x.Ino, Size: x.Size, Blocks: x.Blocks, Atime: at(x.Atime), Mtime: at(x.Mtime), Ctime: at(x.Ctime),
			Mode: uint32(x.Mode), Nlink: x.Nlink, UID: x.Uid, GID: x.Gid, Blksize: x.Blksize,
			Rdev: uint32(unix.Mkdev(x.Rdev_major, x.Rdev_minor)),
		},
	}
	if x.Mask&unix.STATX_BTIME != 0 {
		s.ID.Born = uint64(x.Btime.Sec)<<30 | uint64(x.Btime.Nsec)
	}
	return s, nil
}

// Name pins an entry of the directory.
func (r Ref) Name(name string) (Ref, error) {
	fd, err := unix.Openat(r.fd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return Ref{}, plain(err)
	}
	return Ref{fd: fd}, nil
}

// Open opens a regular file.
func (r Ref) Open(flags uint32) (*File, error) {
	var st unix.Stat_t
	if err := unix.Fstat(r.fd, &st); err != nil {
		return nil, plain(err)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		return nil, fusewire.EISDIR
	default:
		return nil, fusewire.EACCES
	}
	fd, err := unix.Open(r.Proc(), int(flags&openFlags)|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, plain(err)
	}
	return &File{f: os.NewFile(uintptr(fd), "")}, nil
}

// Create makes a regular file in the directory and opens it; one that is there is EEXIST.
func (r Ref) Create(name string, flags, mode uint32) (*File, error) {
	fd, err := unix.Openat(r.fd, name, int(flags&openFlags)|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode&0o777)
	if err != nil {
		return nil, plain(err)
	}
	return &File{f: os.NewFile(uintptr(fd), "")}, nil
}

// Tmpfile makes a file without a name in the directory.
func (r Ref) Tmpfile(flags, mode uint32) (*File, error) {
	fd, err := unix.Open(r.Proc(), int(flags&openFlags)|unix.O_TMPFILE|unix.O_CLOEXEC, mode&0o777)
	if err != nil {
		return nil, plain(err)
	}
	return &File{f: os.NewFile(uintptr(fd), "")}, nil
}

// Mkdir makes a directory.
func (r Ref) Mkdir(name string, mode uint32) error {
	return plain(unix.Mkdirat(r.fd, name, mode&0o777))
}

// Mknod makes an empty file, a pipe or a socket; devices are refused.
func (r Ref) Mknod(name string, mode uint32) error {
	switch mode & fusewire.ModeType {
	case fusewire.ModeRegular, fusewire.ModeFifo, fusewire.ModeSocket:
		return plain(unix.Mknodat(r.fd, name, mode&(fusewire.ModeType|0o777), 0))
	default:
		return fusewire.EPERM
	}
}

// Symlink makes a link, whose target means what it means in the guest.
func (r Ref) Symlink(target, name string) error { return plain(unix.Symlinkat(target, r.fd, name)) }

// Readlink reads a link.
func (r Ref) Readlink() (string, error) {
	buf := make([]byte, 4096)
	n, err := unix.Readlinkat(r.fd, "", buf)
	if err != nil {
		return "", plain(err)
	}
	return string(buf[:n]), nil
}

// Unlink removes an entry that is no directory.
func (r Ref) Unlink(name string) error { return plain(unix.Unlinkat(r.fd, name, 0)) }

// Rmdir removes an empty directory.
func (r Ref) Rmdir(name string) error { return plain(unix.Unlinkat(r.fd, name, unix.AT_REMOVEDIR)) }

// Rename moves an entry; flags are renameat2's NOREPLACE and EXCHANGE.
func (r Ref) Rename(name string, to Ref, toName string, flags uint32) error {
	if flags&^(unix.RENAME_NOREPLACE|unix.RENAME_EXCHANGE) != 0 {
		return fusewire.EINVAL
	}
	return plain(unix.Renameat2(r.fd, name, to.fd, toName, uint(flags)))
}

// Link gives the file another name in dir.
func (r Ref) Link(dir Ref, name string) error {
	return plain(unix.Linkat(unix.AT_FDCWD, r.Proc(), dir.fd, name, unix.AT_SYMLINK_FOLLOW))
}

// Chmod sets permissions.
func (r Ref) Chmod(mode uint32) error { return plain(unix.Chmod(r.Proc(), mode&0o777)) }

// Truncate sets a regular file's size.
func (r Ref) Truncate(size int64) error { return plain(unix.Truncate(r.Proc(), size)) }

// SetTimes sets times.
func (r Ref) SetTimes(t Times) error {
	ts := []unix.Timespec{pick(t.Atime, t.AtimeNow), pick(t.Mtime, t.MtimeNow)}
	return plain(unix.UtimesNanoAt(r.fd, "", ts, unix.AT_EMPTY_PATH))
}

func pick(t *fusewire.Time, now bool) unix.Timespec {
	switch {
	case now:
		return unix.Timespec{Nsec: unix.UTIME_NOW}
	case t == nil:
		return unix.Timespec{Nsec: unix.UTIME_OMIT}
	default:
		return unix.Timespec{Sec: t.Sec, Nsec: int64(t.Nsec)}
	}
}

// Access asks whether the person may read (4), write (2) or execute (1) the file.
func (r Ref) Access(mask uint32) error {
	return plain(unix.Faccessat2(r.fd, "", mask&7, unix.AT_EMPTY_PATH|unix.AT_EACCESS))
}

// Statfs tells of the file system that the file is on.
func (r Ref) Statfs() (Space, error) {
	var s unix.Statfs_t
	if err := unix.Fstatfs(r.fd, &s); err != nil {
		return Space{}, plain(err)
	}
	return Space{
		Blocks: s.Blocks, Free: s.Bfree, Avail: s.Bavail, Files: s.Files, FilesFree: s.Ffree,
		BlockSize: uint32(s.Bsize), NameLen: uint32(s.Namelen),
	}, nil
}

// Getxattr reads an attribute into buf; with an empty buf it tells the size.
func (r Ref) Getxattr(name string, buf []byte) (int, error) {
	n, err := unix.Getxattr(r.Proc(), name, buf)
	return n, plain(err)
}

// GetxattrName reads an attribute of an entry of the directory.
func (r Ref) GetxattrName(entry, name string, buf []byte) (int, error) {
	n, err := unix.Lgetxattr(r.Proc()+"/"+entry, name, buf)
	return n, plain(err)
}

// Setxattr sets an attribute; flags are setxattr's.
func (r Ref) Setxattr(name string, value []byte, flags uint32) error {
	return plain(unix.Setxattr(r.Proc(), name, value, int(flags&3)))
}

// Listxattr lists names.
func (r Ref) Listxattr() ([]string, error) {
	buf := make([]byte, 64<<10)
	n, err := unix.Listxattr(r.Proc(), buf)
	if err != nil {
		return nil, plain(err)
	}
	return strings.FieldsFunc(string(buf[:n]), func(c rune) bool { return c == 0 }), nil
}

// Removexattr removes an attribute.
func (r Ref) Removexattr(name string) error { return plain(unix.Removexattr(r.Proc(), name)) }
