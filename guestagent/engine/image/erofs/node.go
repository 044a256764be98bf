package erofs

import (
	"cmp"
	"slices"
	"time"
)

// Kinds of files, as in st_mode.
const (
	TypeMask   = 0o170000
	TypeSocket = 0o140000
	TypeLink   = 0o120000
	TypeFile   = 0o100000
	TypeBlock  = 0o060000
	TypeDir    = 0o040000
	TypeChar   = 0o020000
	TypeFIFO   = 0o010000
)

// Node is one file. Several names of one file are entries of the same Node: its link count is how many there are.
type Node struct {
	Mode     uint32 // kind and permissions, as st_mode
	UID, GID uint32
	Mtime    time.Time
	Rdev     uint32            // of devices, as mknod(2) takes it
	Target   string            // of symbolic links
	Xattrs   map[string]string // by full name; what SplitXattr refuses makes Finish fail

	children map[string]*Node

	size   uint64 // of regular files and directories
	block  uint32 // of the first byte, unless inline
	short  []byte // the bytes of a short file
	inline bool
	links  uint32
	nid    uint64
	placed bool
}

// NewDir makes an empty directory.
func NewDir(perm uint32) *Node {
	return &Node{Mode: TypeDir | perm, Mtime: time.Now(), children: map[string]*Node{}}
}

// Kind is the kind of file, one of the constants.
func (n *Node) Kind() uint32 { return n.Mode & TypeMask }

// IsDir tells directories, which have children, from other files.
func (n *Node) IsDir() bool { return n.Kind() == TypeDir }

// Child is an entry of a directory; nil for none.
func (n *Node) Child(name string) *Node { return n.children[name] }

// Set makes an entry of a directory, in place of one of that name.
func (n *Node) Set(name string, child *Node) { n.children[name] = child }

// Remove takes an entry out of a directory.
func (n *Node) Remove(name string) { delete(n.children, name) }

// entry is a name in a directory.
type entry struct {
	name string
	node *Node
}

// entries are a directory's, itself and its parent included, in the order of their bytes, which is that of the format.
func (n *Node) entries(parent *Node) []entry {
	list := make([]entry, 0, len(n.children)+2)
	list = append(list, entry{".", n}, entry{"..", parent})
	for name, c := range n.children {
		list = append(list, entry{name, c})
	}
	slices.SortFunc(list, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	return list
}
