package streams

import "encoding/binary"

// Stream is one of the two output streams; its value is what docker's framing has for it.
type Stream byte

// The streams. A terminal's output is Stdout.
const (
	Stdout Stream = 1
	Stderr Stream = 2
)

// frame is p in docker's stdcopy framing: the stream, three zero bytes, the length big endian, the bytes.
func frame(s Stream, p []byte) []byte {
	b := make([]byte, 8, 8+len(p))
	b[0] = byte(s)
	binary.BigEndian.PutUint32(b[4:], uint32(len(p)))
	return append(b, p...)
}
