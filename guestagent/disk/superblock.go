package disk

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// Label is the name of the file system that is the guest's.
const Label = "berth-data"

// Kind is what a disk holds.
type Kind int

// The kinds.
const (
	Other   Kind = iota // something else: left alone
	Blank               // nothing at all
	Ours                // an ext4 with our label
	Damaged             // its first superblock is gone, a spare one says that it is ours
)

// Found is what was read of a disk.
type Found struct {
	Kind  Kind
	UUID  string
	Clean bool // unmounted in order, no error noted
	Spare int64
}

// Where things are on the disk: mke2fs makes blocks of 4096 bytes (Format says so), so the groups that have a spare
// superblock (1, 3, 5) begin at these blocks.
const (
	blockSize   = 4096
	superOffset = 1024
	superSize   = 1024
	blankProbe  = 1 << 20
)

func spares() []int64 { return []int64{32768, 98304, 163840} }

// Look reads what a disk of size bytes holds.
func Look(r io.ReaderAt, size int64) (Found, error) {
	head := make([]byte, min(blankProbe, size))
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return Found{}, err
	}
	if len(head) >= superOffset+superSize {
		if f, ok := parse(head[superOffset : superOffset+superSize]); ok {
			return f, nil
		}
	}
	for _, block := range spares() {
		sb := make([]byte, superSize)
		if block*blockSize+superSize > size {
			break
		}
		if _, err := r.ReadAt(sb, block*blockSize); err != nil {
			return Found{}, err
		}
		if f, ok := parse(sb); ok && f.Kind == Ours {
			return Found{Kind: Damaged, UUID: f.UUID, Spare: block}, nil
		}
	}
	// A backup of a GUID partition table lies at the very end.
	tail := make([]byte, min(64<<10, size))
	if _, err := r.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return Found{}, err
	}
	if zero(head) && zero(tail) {
		return Found{Kind: Blank}, nil
	}
	return Found{Kind: Other}, nil
}

// parse reads an ext4 superblock.
func parse(b []byte) (Found, bool) {
	le := binary.LittleEndian
	const (
		magic      = 0xEF53
		validState = 1 // s_state: unmounted in order
		errorState = 2
		recover    = 4 // s_feature_incompat: the journal must be replayed
	)
	if le.Uint16(b[56:]) != magic {
		return Found{}, false
	}
	state, incompat := le.Uint16(b[58:]), le.Uint32(b[96:])
	f := Found{Kind: Other, UUID: uuid(b[104:120]), Clean: state&validState != 0 && state&errorState == 0 && incompat&recover == 0}
	if label, _, _ := bytes.Cut(b[120:136], []byte{0}); string(label) == Label {
		f.Kind = Ours
	}
	return f, true
}

// count is how many blocks a superblock counts.
func count(b []byte) uint64 {
	le := binary.LittleEndian
	n := uint64(le.Uint32(b[4:]))
	if le.Uint32(b[96:])&0x80 != 0 { // s_feature_incompat: 64bit
		n |= uint64(le.Uint32(b[0x150:])) << 32
	}
	return n
}

func uuid(b []byte) string {
	h := hex.EncodeToString(b)
	return fmt.Sprintf("%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:])
}

func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
