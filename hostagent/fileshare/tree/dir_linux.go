package tree

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// ReadDir calls each for the entries of the directory from a position on, "." and ".." among them, until it returns false.
func (r Ref) ReadDir(from uint64, each func(Entry) bool) error {
	fd, err := unix.Openat(r.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return plain(err)
	}
	defer func() { _ = unix.Close(fd) }()
	if from != 0 {
		if _, err := unix.Seek(fd, int64(from), 0); err != nil {
			return plain(err)
		}
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := unix.Getdents(fd, buf)
		if err != nil {
			return plain(err)
		}
		if n == 0 || !entries(buf[:n], each) {
			return nil
		}
	}
}

// entries takes struct linux_dirent64 apart: number, position, length, type, name.
func entries(b []byte, each func(Entry) bool) bool {
	const name = 19
	for len(b) > name {
		size := int(binary.NativeEndian.Uint16(b[16:]))
		if size <= name || size > len(b) {
			return false
		}
		text, _, _ := bytes.Cut(b[name:size], []byte{0})
		e := Entry{
			Name: string(text), Ino: binary.NativeEndian.Uint64(b), Next: binary.NativeEndian.Uint64(b[8:]),
			Type: uint32(b[18]) << 12,
		}
		if !each(e) {
			return false
		}
		b = b[size:]
	}
	return true
}

// Sync makes the directory's entries durable.
func (r Ref) Sync() error {
	fd, err := unix.Openat(r.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return plain(err)
	}
	defer func() { _ = unix.Close(fd) }()
	return plain(unix.Fsync(fd))
}
