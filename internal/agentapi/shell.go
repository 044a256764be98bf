package agentapi

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Shell asks on a stream of PortShell for a program that runs as root in the guest. After Opened both ends send chunks.
// When the host ends the stream the program is hung up on; the guest ends it after a chunk of ShellExit.
type Shell struct {
	Args []string `json:"args,omitempty"` // the program and its arguments; empty: a shell
	Term string   `json:"term,omitempty"` // $TERM
	Size *Size    `json:"size,omitempty"` // of the terminal that it runs in; nil: pipes, with output and errors apart
}

// Size is that of a terminal, in characters.
type Size struct {
	Rows uint16 `json:"rows"`
	Cols uint16 `json:"cols"`
}

// ShellKind says what a chunk carries.
type ShellKind byte

// The kinds of chunks.
const (
	ShellIn   ShellKind = 1 // host: bytes of the input; none: it has ended
	ShellOut  ShellKind = 2 // guest: output; of a terminal, all of it
	ShellErr  ShellKind = 3 // guest: what went to standard error
	ShellSize ShellKind = 4 // host: the terminal's size has changed: rows and columns, two bytes each, big endian
	ShellExit ShellKind = 5 // guest: the exit code, one byte; 128 and the signal's number where one ended it
)

// MaxChunk is the most that a chunk may carry, in bytes.
const MaxChunk = 32 << 10

const chunkHead = 3 // its kind, and two bytes of length, big endian

// WriteChunk writes a chunk in a single Write.
func WriteChunk(w io.Writer, kind ShellKind, b []byte) error {
	if len(b) > MaxChunk {
		return fmt.Errorf("chunk of %d bytes is over %d", len(b), MaxChunk)
	}
	head := binary.BigEndian.AppendUint16(append(make([]byte, 0, chunkHead+len(b)), byte(kind)), uint16(len(b)))
	_, err := w.Write(append(head, b...))
	return err
}

// ReadChunk reads the next chunk into buf, which has room for MaxChunk bytes, and gives its part of it. io.EOF means that
// the peer has ended the stream between two.
func ReadChunk(r io.Reader, buf []byte) (ShellKind, []byte, error) {
	var head [chunkHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := int(binary.BigEndian.Uint16(head[1:]))
	if n > MaxChunk {
		return 0, nil, fmt.Errorf("chunk of %d bytes is over %d", n, MaxChunk)
	}
	if _, err := io.ReadFull(r, buf[:n]); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return ShellKind(head[0]), buf[:n], nil
}

// Chunk is the size as a chunk of ShellSize carries it.
func (s Size) Chunk() []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, s.Rows), s.Cols)
}

// SizeOf reads the bytes of a chunk of ShellSize.
func SizeOf(b []byte) (Size, error) {
	if len(b) != 4 {
		return Size{}, fmt.Errorf("a terminal's size of %d bytes, not 4", len(b))
	}
	return Size{Rows: binary.BigEndian.Uint16(b), Cols: binary.BigEndian.Uint16(b[2:])}, nil
}
