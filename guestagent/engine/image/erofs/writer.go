package erofs

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"os"
)

const (
	// BlockSize is the size of a block of the images that this package writes.
	BlockSize = 4096
	// shortFile is the size up to which a file's bytes stand beside its inode, as long as all such bytes of an image,
	// which wait in memory, are no more than shortBytes.
	shortFile  = 1024
	shortBytes = 32 << 20
)

// Writer writes one image. It belongs to one goroutine.
type Writer struct {
	f     *os.File
	out   *bufio.Writer
	root  *Node
	next  uint64 // the block that is written next
	short int    // bytes of short files in memory
	buf   []byte
}

// NewWriter begins an image in an empty file, which stays the caller's. Its root is a directory of root, mode 0755.
func NewWriter(f *os.File) (*Writer, error) {
	w := &Writer{f: f, out: bufio.NewWriterSize(f, 256<<10), root: NewDir(0o755), next: 1, buf: make([]byte, 128<<10)}
	if _, err := w.out.Write(make([]byte, BlockSize)); err != nil { // the superblock is written last
		return nil, err
	}
	return w, nil
}

// Root is the tree that Finish writes.
func (w *Writer) Root() *Node { return w.root }

// Data reads a regular file's bytes to their end. It is called once for a Node.
func (w *Writer) Data(n *Node, r io.Reader) error {
	head, err := io.ReadFull(r, w.buf[:shortFile+1])
	switch {
	case err == io.EOF:
		return nil
	case err == io.ErrUnexpectedEOF && w.short+head <= shortBytes:
		n.short, n.size = append([]byte(nil), w.buf[:head]...), uint64(head)
		w.short += head
		return nil
	case err != nil && err != io.ErrUnexpectedEOF:
		return err
	}
	n.block = uint32(w.next)
	if _, err := w.out.Write(w.buf[:head]); err != nil {
		return err
	}
	rest, err := io.CopyBuffer(struct{ io.Writer }{w.out}, struct{ io.Reader }{r}, w.buf)
	n.size = uint64(head) + uint64(rest)
	if err != nil {
		return err
	}
	return w.pad(n.size)
}

// pad fills the block that size bytes from the beginning of one end in.
func (w *Writer) pad(size uint64) error {
	w.next += (size + BlockSize - 1) / BlockSize
	if w.next > math.MaxUint32 {
		return fmt.Errorf("an EROFS image holds %d blocks at most", uint32(math.MaxUint32))
	}
	if odd := size % BlockSize; odd != 0 {
		_, err := w.out.Write(zeros[:BlockSize-odd])
		return err
	}
	return nil
}

var zeros [BlockSize]byte
