package logs

import (
	"encoding/binary"
	"io"
)

// The streams of docker's multiplexed stream.
const (
	StdoutFrame = 1
	StderrFrame = 2
)

type frame struct {
	w      io.Writer
	stream byte
}

// Frame writes each Write as one frame of docker's multiplexed stream: the stream's number, three zeros, the length,
// the bytes.
func Frame(w io.Writer, stream byte) io.Writer { return frame{w, stream} }

func (f frame) Write(p []byte) (int, error) {
	head := binary.BigEndian.AppendUint32([]byte{f.stream, 0, 0, 0}, uint32(len(p)))
	if _, err := f.w.Write(append(head, p...)); err != nil {
		return 0, err
	}
	return len(p), nil
}
