package fusewire

import (
	"encoding/binary"
	"time"
)

// Time is seconds and nanoseconds since 1970.
type Time struct {
	Sec  int64
	Nsec uint32
}

// Attr is what stat shows.
type Attr struct {
	Ino, Size, Blocks   uint64
	Atime, Mtime, Ctime Time
	Mode, Nlink         uint32
	UID, GID            uint32
	Rdev, Blksize       uint32
}

// Append adds struct fuse_attr.
func (a *Attr) Append(b []byte) []byte {
	le := binary.LittleEndian
	for _, v := range [...]uint64{a.Ino, a.Size, a.Blocks, uint64(a.Atime.Sec), uint64(a.Mtime.Sec), uint64(a.Ctime.Sec)} {
		b = le.AppendUint64(b, v)
	}
	for _, v := range [...]uint32{a.Atime.Nsec, a.Mtime.Nsec, a.Ctime.Nsec, a.Mode, a.Nlink, a.UID, a.GID, a.Rdev, a.Blksize, 0} {
		b = le.AppendUint32(b, v)
	}
	return b
}

// Entry is the answer to LOOKUP and to what makes an entry. Node 0 is "no such name, and remember it".
type Entry struct {
	Node, Generation    uint64
	EntryValid, AttrFor time.Duration
	Attr                Attr
}

// Append adds struct fuse_entry_out.
func (e *Entry) Append(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(b, e.Node)
	b = le.AppendUint64(b, e.Generation)
	b = le.AppendUint64(b, uint64(e.EntryValid/time.Second))
	b = le.AppendUint64(b, uint64(e.AttrFor/time.Second))
	b = le.AppendUint32(b, uint32(e.EntryValid%time.Second))
	b = le.AppendUint32(b, uint32(e.AttrFor%time.Second))
	return e.Attr.Append(b)
}

// AppendAttr adds struct fuse_attr_out.
func AppendAttr(b []byte, a *Attr, valid time.Duration) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(b, uint64(valid/time.Second))
	b = le.AppendUint32(b, uint32(valid%time.Second))
	b = le.AppendUint32(b, 0)
	return a.Append(b)
}

// AppendOpen adds struct fuse_open_out.
func AppendOpen(b []byte, fh uint64, flags uint32) []byte {
	b = binary.LittleEndian.AppendUint64(b, fh)
	b = binary.LittleEndian.AppendUint32(b, flags)
	return binary.LittleEndian.AppendUint32(b, 0)
}

// Dirent is one entry of a directory; Next is the position behind it.
type Dirent struct {
	Ino, Next uint64
	Type      uint32 // the mode's type bits
	Name      string
}

// DirentSize is what an entry takes in READDIR's answer.
func DirentSize(name string) int { return (24 + len(name) + 7) &^ 7 }

// Append adds struct fuse_dirent, padded.
func (d *Dirent) Append(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(b, d.Ino)
	b = le.AppendUint64(b, d.Next)
	b = le.AppendUint32(b, uint32(len(d.Name)))
	b = le.AppendUint32(b, d.Type>>12)
	b = append(b, d.Name...)
	for n := 24 + len(d.Name); n%8 != 0; n++ {
		b = append(b, 0)
	}
	return b
}
