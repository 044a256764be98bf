package fusewire

import (
	"bytes"
	"encoding/binary"
)

// Reader takes a message apart. Whatever is missing reads as zero and makes Bad true.
type Reader struct {
	rest []byte
	Bad  bool
}

// NewReader reads b.
func NewReader(b []byte) *Reader { return &Reader{rest: b} }

// Len is how much is left.
func (r *Reader) Len() int { return len(r.rest) }

// Bytes takes the next n bytes.
func (r *Reader) Bytes(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.Bad, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

// Skip passes over padding.
func (r *Reader) Skip(n int) { r.Bytes(n) }

// Rest takes all that is left.
func (r *Reader) Rest() []byte { return r.Bytes(len(r.rest)) }

// U16 takes a number.
func (r *Reader) U16() uint16 {
	if b := r.Bytes(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// U32 takes a number.
func (r *Reader) U32() uint32 {
	if b := r.Bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// U64 takes a number.
func (r *Reader) U64() uint64 {
	if b := r.Bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Text takes what stands before the next zero byte.
func (r *Reader) Text() string {
	i := bytes.IndexByte(r.rest, 0)
	if i < 0 {
		r.Bad = true
		return ""
	}
	s := string(r.rest[:i])
	r.rest = r.rest[i+1:]
	return s
}

// ValidName says whether a kernel would send this as the name of a directory's entry.
func ValidName(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) > 255 {
		return false
	}
	for i := range len(name) {
		if name[i] == '/' || name[i] == 0 {
			return false
		}
	}
	return true
}
