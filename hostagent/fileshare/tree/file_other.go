//go:build !linux

package tree

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/berthhq/berth/internal/fusewire"
)

// File is an open regular file.
type File struct {
	f   *os.File
	ref Ref
}

// Close closes the file.
func (f *File) Close() error { return plain(f.f.Close()) }

// Ref pins the file by the path that it was opened with.
func (f *File) Ref() (Ref, error) { return f.ref, nil }

// Stat tells of the file.
func (f *File) Stat() (Stat, error) {
	fi, err := f.f.Stat()
	if err != nil {
		return Stat{}, plain(err)
	}
	return statOf(fi, f.ref.path), nil
}

// ReadAt reads; 0 bytes is the end.
func (f *File) ReadAt(b []byte, at int64) (int, error) {
	n, err := f.f.ReadAt(b, at)
	if errors.Is(err, io.EOF) || n > 0 {
		err = nil
	}
	return n, plain(err)
}

// WriteAt writes.
func (f *File) WriteAt(b []byte, at int64) (int, error) {
	n, err := f.f.WriteAt(b, at)
	if n > 0 {
		err = nil
	}
	return n, plain(err)
}

// Sync makes the file durable.
func (f *File) Sync(bool) error { return plain(f.f.Sync()) }

// Truncate sets the size.
func (f *File) Truncate(size int64) error { return plain(f.f.Truncate(size)) }

// Chmod sets permissions.
func (f *File) Chmod(mode uint32) error { return plain(f.f.Chmod(fs.FileMode(mode & 0o777))) }

// Find knows of no holes: the guest's kernel then takes all for data.
func (f *File) Find(int64, uint32) (int64, error) { return 0, fusewire.ENOSYS }

// Allocate has no portable call.
func (f *File) Allocate(uint32, int64, int64) error { return fusewire.EOPNOTSUPP }

// Copy has no portable call: the guest's kernel then reads and writes.
func (f *File) Copy(int64, *File, int64, int) (int, error) { return 0, fusewire.ENOSYS }

// Range is a POSIX lock.
type Range struct {
	Start, End uint64
	Kind       uint32
}

// Flock is the guest's kernel's matter.
func (f *File) Flock(uint32) error { return fusewire.ENOSYS }

// Lock is the guest's kernel's matter.
func (f *File) Lock(Range) error { return fusewire.ENOSYS }

// Locked is the guest's kernel's matter.
func (f *File) Locked(Range) (Range, error) { return Range{}, fusewire.ENOSYS }

// Locks says that the guest's kernel keeps locks by itself.
const Locks = false
