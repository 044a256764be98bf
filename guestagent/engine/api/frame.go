package api

import (
	"encoding/binary"
	"io"
)

// frameHeader is the length of a frame's head: the stream's number, three zeros, the payload's length big-endian.
const frameHeader = 8

// frameWriter writes one of the streams that share a connection; head and payload go out in one write.
type frameWriter struct {
	w      io.Writer
	stream byte
}

func (f *frameWriter) Write(p []byte) (int, error) {
	buf := make([]byte, frameHeader, frameHeader+len(p))
	buf[0] = f.stream
	binary.BigEndian.PutUint32(buf[4:], uint32(len(p)))
	n, err := f.w.Write(append(buf, p...))
	return max(0, n-frameHeader), err
}
