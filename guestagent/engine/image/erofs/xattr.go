package erofs

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	xattrHead  = 12 // of all attributes of a file
	xattrEntry = 4  // of each
)

// xattrPrefixes are the name spaces that the format knows, by their index.
var xattrPrefixes = [...]string{
	1: "user.", 2: "system.posix_acl_access", 3: "system.posix_acl_default", 4: "trusted.", 6: "security.",
}

// SplitXattr tells how the format writes an attribute's name; ok is false for a name space that it does not know.
func SplitXattr(name string) (index byte, rest string, ok bool) {
	for i, p := range xattrPrefixes {
		if p == "" {
			continue
		}
		if whole := i == 2 || i == 3; whole && name == p || !whole && strings.HasPrefix(name, p) {
			return byte(i), name[len(p):], true
		}
	}
	return 0, "", false
}

func align(n, to int) int { return (n + to - 1) / to * to }

// xattrSize is how many bytes a file's attributes take.
func (n *Node) xattrSize() (int, error) {
	if len(n.Xattrs) == 0 {
		return 0, nil
	}
	size := xattrHead
	for name, value := range n.Xattrs {
		_, rest, ok := SplitXattr(name)
		if !ok || len(rest) > 255 || len(value) > 0xffff {
			return 0, fmt.Errorf("attribute %q of %d bytes does not fit into an EROFS image", name, len(value))
		}
		size += align(xattrEntry+len(rest)+len(value), 4)
	}
	if (size-xattrHead)/4+1 > 0xffff {
		return 0, fmt.Errorf("%d bytes of attributes of one file do not fit into an EROFS image", size)
	}
	return size, nil
}

// appendXattrs writes the attributes, in the order of their names so that one tree gives one image.
func (n *Node) appendXattrs(b []byte) []byte {
	if len(n.Xattrs) == 0 {
		return b
	}
	b = append(b, make([]byte, xattrHead)...)
	for _, name := range slices.Sorted(maps.Keys(n.Xattrs)) {
		index, rest, _ := SplitXattr(name)
		value := n.Xattrs[name]
		b = append(b, byte(len(rest)), index)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
		b = append(append(b, rest...), value...)
		if odd := (xattrEntry + len(rest) + len(value)) % 4; odd != 0 {
			b = append(b, make([]byte, 4-odd)...)
		}
	}
	return b
}
