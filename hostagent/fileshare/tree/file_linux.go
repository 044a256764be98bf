package tree

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/internal/fusewire"
)

// File is an open regular file. It may be closed while it is used: the call that is under way ends first.
type File struct{ f *os.File }

// do runs call with the descriptor, which stays open meanwhile.
func (f *File) do(call func(fd int) error) error {
	c, err := f.f.SyscallConn()
	if err != nil {
		return fusewire.EBADF
	}
	var result error
	if err := c.Control(func(fd uintptr) { result = call(int(fd)) }); err != nil {
		return fusewire.EBADF
	}
	return plain(result)
}

// Close closes the file.
func (f *File) Close() error { return plain(f.f.Close()) }

// Ref pins the file, also one that has no name any more.
func (f *File) Ref() (Ref, error) {
	r := Ref{fd: -1}
	err := f.do(func(fd int) (err error) {
		r.fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
		return err
	})
	return r, err
}

// Stat tells of the file.
func (f *File) Stat() (s Stat, err error) {
	doErr := f.do(func(fd int) error { s, err = statx(fd, "", unix.AT_EMPTY_PATH); return nil })
	if doErr != nil {
		err = doErr
	}
	return s, err
}

// ReadAt reads; 0 bytes is the end.
func (f *File) ReadAt(b []byte, at int64) (total int, err error) {
	err = f.do(func(fd int) error {
		for total < len(b) {
			n, err := unix.Pread(fd, b[total:], at+int64(total))
			if err == unix.EINTR {
				continue
			}
			if err != nil && total == 0 {
				return err
			}
			if err != nil || n == 0 {
				return nil
			}
			total += n
		}
		return nil
	})
	return total, err
}

// WriteAt writes; a file opened with Append ignores the position.
func (f *File) WriteAt(b []byte, at int64) (total int, err error) {
	err = f.do(func(fd int) error {
		for total < len(b) {
			n, err := unix.Pwrite(fd, b[total:], at+int64(total))
			if err == unix.EINTR {
				continue
			}
			if err != nil && total == 0 {
				return err
			}
			if err != nil || n == 0 {
				return nil
			}
			total += n
		}
		return nil
	})
	return total, err
}

// Sync makes the file durable.
func (f *File) Sync(dataOnly bool) error {
	return f.do(func(fd int) error {
		if dataOnly {
			return unix.Fdatasync(fd)
		}
		return unix.Fsync(fd)
	})
}

// Truncate sets the size.
func (f *File) Truncate(size int64) error {
	return f.do(func(fd int) error { return unix.Ftruncate(fd, size) })
}

// Chmod sets permissions.
func (f *File) Chmod(mode uint32) error {
	return f.do(func(fd int) error { return unix.Fchmod(fd, mode&0o777) })
}

// Find looks for data (whence 3) or a hole (whence 4).
func (f *File) Find(offset int64, whence uint32) (at int64, err error) {
	if whence != unix.SEEK_DATA && whence != unix.SEEK_HOLE {
		return 0, fusewire.EINVAL
	}
	err = f.do(func(fd int) (err error) { at, err = unix.Seek(fd, offset, int(whence)); return err })
	return at, err
}

// Allocate reserves, zeroes or punches; mode is fallocate's.
func (f *File) Allocate(mode uint32, offset, length int64) error {
	return f.do(func(fd int) error { return unix.Fallocate(fd, mode, offset, length) })
}

// Copy copies a range into another file without passing through memory.
func (f *File) Copy(at int64, to *File, toAt int64, length int) (n int, err error) {
	err = f.do(func(in int) error {
		return to.do(func(out int) (err error) {
			n, err = unix.CopyFileRange(in, &at, out, &toAt, length, 0)
			return err
		})
	})
	return n, err
}

// Flock takes, shares or gives back the whole file's lock without waiting (flock(2)); kind is a lock type of fcntl.
func (f *File) Flock(kind uint32) error {
	how := map[uint32]int{unix.F_RDLCK: unix.LOCK_SH, unix.F_WRLCK: unix.LOCK_EX, unix.F_UNLCK: unix.LOCK_UN}
	op, ok := how[kind]
	if !ok {
		return fusewire.EINVAL
	}
	return f.do(func(fd int) error { return unix.Flock(fd, op|unix.LOCK_NB) })
}

// Range is a POSIX lock.
type Range struct {
	Start, End uint64 // End is the last byte
	Kind       uint32 // F_RDLCK, F_WRLCK, F_UNLCK
}

// toEOF is the End of a lock that grows with the file.
const toEOF = 1<<63 - 1

func (r Range) flock() unix.Flock_t {
	l := unix.Flock_t{Type: int16(r.Kind), Start: int64(r.Start)}
	if r.End < toEOF {
		l.Len = int64(r.End-r.Start) + 1
	}
	return l
}

// Lock sets or clears a lock that belongs to this open file, without waiting (F_OFD_SETLK).
func (f *File) Lock(r Range) error {
	l := r.flock()
	return f.do(func(fd int) error { return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &l) })
}

// Locked tells which lock is in the way of r; Kind is F_UNLCK where none is.
func (f *File) Locked(r Range) (Range, error) {
	l := r.flock()
	err := f.do(func(fd int) error { return unix.FcntlFlock(uintptr(fd), unix.F_OFD_GETLK, &l) })
	got := Range{Start: uint64(l.Start), End: toEOF, Kind: uint32(l.Type)}
	if l.Len > 0 {
		got.End = uint64(l.Start+l.Len) - 1
	}
	return got, err
}

// Locks says whether this host has locks that a file server can hold for many processes.
const Locks = true
