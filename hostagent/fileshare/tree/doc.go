// Package tree reaches the files of one share and nothing else on the host. A path is resolved beneath the share's root
// without following any link (openat2(2) on Linux, os.Root elsewhere) and pinned as a Ref; what is done to a file is done
// to the Ref, so that a name that is swapped meanwhile changes nothing. Only regular files and directories are ever
// opened: devices, pipes and sockets of the host are seen and not touched.
//
// Errors are Linux' numbers (fusewire.Errno) on every host. What a host has no call for is ENOSYS or EOPNOTSUPP.
package tree

import "github.com/berthhq/berth/internal/fusewire"

// ID tells files apart, also a new one with the number of a removed one where the host knows when a file was born.
type ID struct{ Dev, Ino, Born uint64 }

// Stat is what the host says of a file; UID and GID are the host's.
type Stat struct {
	ID   ID
	Attr fusewire.Attr
}

// Times are what SetTimes changes; nil leaves a time alone.
type Times struct {
	Atime, Mtime       *fusewire.Time
	AtimeNow, MtimeNow bool
}

// Space is what statfs shows.
type Space struct {
	Blocks, Free, Avail, Files, FilesFree uint64
	BlockSize, NameLen                    uint32
}

// Entry is one name in a directory; Next is the position behind it.
type Entry struct {
	Name      string
	Ino, Next uint64
	Type      uint32 // type bits of the mode, 0 where the host does not say
}

// Flags of an open file, with Linux' numbers, that are honoured.
const (
	WriteOnly = 0o1
	ReadWrite = 0o2
	Exclusive = 0o200
	Truncate  = 0o1000
	Append    = 0o2000
	Sync      = 0o4010000

	openFlags = WriteOnly | ReadWrite | Truncate | Append | Sync
)

// Writes says whether a file opened with these flags can be changed.
func Writes(flags uint32) bool { return flags&(WriteOnly|ReadWrite|Truncate) != 0 }
