package fusewire

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Kinds of frames on the notify stream.
const (
	FrameRaw    = 1
	FrameEvent  = 2
	FrameForget = 3
	FrameEnd    = 4
)

const (
	frameHeader = 16
	maxFrame    = 64 << 10
)

// Frame is one thing that the host tells.
type Frame struct {
	Kind uint32
	ID   uint64
	Body []byte
}

// Write sends it.
func (f Frame) Write(w io.Writer) error {
	le := binary.LittleEndian
	b := make([]byte, 0, frameHeader+len(f.Body))
	b = le.AppendUint32(b, uint32(frameHeader+len(f.Body)))
	b = le.AppendUint32(b, f.Kind)
	b = le.AppendUint64(b, f.ID)
	_, err := w.Write(append(b, f.Body...))
	return err
}

// ReadFrame receives one.
func ReadFrame(r io.Reader) (Frame, error) {
	var h [frameHeader]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return Frame{}, err
	}
	le := binary.LittleEndian
	n := le.Uint32(h[:])
	if n < frameHeader || n > maxFrame {
		return Frame{}, fmt.Errorf("notify frame of %d bytes", n)
	}
	f := Frame{Kind: le.Uint32(h[4:]), ID: le.Uint64(h[8:]), Body: make([]byte, n-frameHeader)}
	_, err := io.ReadFull(r, f.Body)
	return f, err
}

// Ack says that a frame was carried out, or with which error not.
type Ack struct {
	ID    uint64
	Error Errno
}

// Write sends it.
func (a Ack) Write(w io.Writer) error {
	b := binary.LittleEndian.AppendUint64(nil, a.ID)
	_, err := w.Write(binary.LittleEndian.AppendUint32(b, uint32(a.Error)))
	return err
}

// ReadAck receives one.
func ReadAck(r io.Reader) (Ack, error) {
	var b [12]byte
	_, err := io.ReadFull(r, b[:])
	return Ack{ID: binary.LittleEndian.Uint64(b[:]), Error: Errno(binary.LittleEndian.Uint32(b[8:]))}, err
}
