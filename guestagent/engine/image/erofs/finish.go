package erofs

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
)

const (
	inodeSize = 64
	// firstInode is where the root stands: number 0 would look like an entry that is not there.
	firstInode = 64
	// maxInline is the size up to which a directory or link stands beside its inode.
	maxInline = 2048

	layoutPlain  = 0
	layoutInline = 2

	superOffset = 1024
	superMagic  = 0xe0f5e1e2
)

// placed is a file in the order in which the metadata has them.
type placed struct {
	node, parent *Node // parent: of directories
	at           int64 // in the metadata
	xattrs       int   // bytes
}

// Finish writes the tree and so completes the image. It does not sync the file.
func (w *Writer) Finish() error {
	list, end, err := w.place()
	if err != nil {
		return err
	}
	for _, p := range list {
		if err := w.writeBlocks(p); err != nil {
			return err
		}
	}
	meta := w.next
	if err := w.writeInodes(list, end); err != nil {
		return err
	}
	if err := w.pad(uint64(end)); err != nil {
		return err
	}
	if err := w.out.Flush(); err != nil {
		return err
	}
	_, err = w.f.WriteAt(w.super(meta, uint64(len(list))), superOffset)
	return err
}

// place gives every file its number and counts its names; end is the size of the metadata.
func (w *Writer) place() (list []placed, end int64, err error) {
	at := int64(firstInode)
	var walk func(n, parent *Node, path string) error
	walk = func(n, parent *Node, path string) error {
		p, err := putAt(n, parent, &at)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		list = append(list, p)
		if !n.IsDir() {
			return nil
		}
		n.links = 2
		for _, e := range n.entries(parent) {
			if e.name == "." || e.name == ".." {
				continue
			}
			if e.node.IsDir() {
				n.links++
			} else if e.node.links++; e.node.placed {
				continue
			}
			if err := walk(e.node, n, path+"/"+e.name); err != nil {
				return err
			}
		}
		return nil
	}
	err = walk(w.root, w.root, "")
	return list, at, err
}

// putAt finds a place for one file from at on, and moves at behind it.
func putAt(n, parent *Node, at *int64) (placed, error) {
	xattrs, err := n.xattrSize()
	if err != nil {
		return placed{}, err
	}
	tail := 0
	switch n.Kind() {
	case TypeFile:
		tail = len(n.short)
	case TypeLink:
		tail = len(n.Target)
		n.size = uint64(tail)
	case TypeDir:
		tail = dirSize(n.entries(parent))
		n.size = uint64(tail)
	}
	head := inodeSize + xattrs
	n.inline = tail > 0 && (tail <= maxInline || n.short != nil) && head+tail <= BlockSize
	if !n.inline {
		tail = 0
	}
	start := (*at + inodeSize - 1) / inodeSize * inodeSize
	if inBlock := int((start + int64(head)) % BlockSize); n.inline && inBlock+tail > BlockSize {
		start = (start + BlockSize - 1) / BlockSize * BlockSize // what stands inline must not cross a block
	}
	n.nid, n.placed = uint64(start)/32, true
	*at = start + int64(head+tail)
	return placed{node: n, parent: parent, at: start, xattrs: xattrs}, nil
}

// writeBlocks writes the bytes of what is neither inline nor written yet.
func (w *Writer) writeBlocks(p placed) error {
	n := p.node
	if n.inline || n.size == 0 {
		return nil
	}
	var b []byte
	switch {
	case n.IsDir():
		b = appendDir(nil, n.entries(p.parent))
	case n.Kind() == TypeLink:
		b = []byte(n.Target)
	case n.short != nil: // beside many attributes
		b = n.short
	default:
		return nil
	}
	n.block = uint32(w.next)
	if _, err := w.out.Write(b); err != nil {
		return err
	}
	return w.pad(n.size)
}

// writeInodes writes the metadata.
func (w *Writer) writeInodes(list []placed, end int64) error {
	at := int64(0)
	var b []byte
	for _, p := range list {
		for ; at < p.at; at += int64(len(b)) {
			b = zeros[:min(p.at-at, BlockSize)]
			if _, err := w.out.Write(b); err != nil {
				return err
			}
		}
		b = p.node.appendXattrs(p.node.appendInode(w.buf[:0], p.xattrs))
		if p.node.inline {
			switch n := p.node; n.Kind() {
			case TypeFile:
				b = append(b, n.short...)
			case TypeLink:
				b = append(b, n.Target...)
			default:
				b = append(b, appendDir(nil, n.entries(p.parent))...)
			}
		}
		if _, err := w.out.Write(b); err != nil {
			return err
		}
		at += int64(len(b))
	}
	if at != end {
		return fmt.Errorf("EROFS metadata of %d bytes where %d were planned", at, end)
	}
	return nil
}

func (n *Node) appendInode(b []byte, xattrs int) []byte {
	le := binary.LittleEndian
	format, count, where := uint16(1|layoutPlain<<1), uint16(0), n.block // 1: the extended kind
	if n.inline {
		format = 1 | layoutInline<<1
	}
	if xattrs > 0 {
		count = uint16((xattrs-xattrHead)/4 + 1)
	}
	if k := n.Kind(); k == TypeChar || k == TypeBlock {
		where = n.Rdev
	}
	b = le.AppendUint16(b, format)
	b = le.AppendUint16(b, count)
	b = le.AppendUint16(b, uint16(n.Mode))
	b = le.AppendUint16(b, 0)
	b = le.AppendUint64(b, n.size)
	b = le.AppendUint32(b, where)
	b = le.AppendUint32(b, uint32(n.nid)) // st_ino of 32-bit programs
	b = le.AppendUint32(b, n.UID)
	b = le.AppendUint32(b, n.GID)
	b = le.AppendUint64(b, uint64(n.Mtime.Unix()))
	b = le.AppendUint32(b, uint32(n.Mtime.Nanosecond()))
	b = le.AppendUint32(b, n.links)
	return append(b, make([]byte, 16)...)
}

// super is the superblock. The identity is random: overlayfs tells its layers apart by it.
func (w *Writer) super(meta, files uint64) []byte {
	b, le := make([]byte, 128), binary.LittleEndian
	le.PutUint32(b[0:], superMagic)
	b[12] = 12 // bits of a block
	le.PutUint16(b[14:], uint16(w.root.nid))
	le.PutUint64(b[16:], files)
	le.PutUint32(b[36:], uint32(w.next))
	le.PutUint32(b[40:], uint32(meta))
	_, _ = rand.Read(b[48:64])
	return b
}
