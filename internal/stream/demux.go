package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A frame of docker's multiplexed output: one byte of kind, three of padding, four of length (big-endian), the bytes.
const (
	frameHeader = 8
	kindStdin   = 0 // written to stdout, as docker does
	kindStdout  = 1
	kindStderr  = 2
	kindError   = 3 // the engine's own complaint; it ends the stream
)

// errorBound is the most of an engine's complaint that is read, in bytes.
const errorBound = 64 << 10

// Demux splits docker's framed output into stdout and stderr; a nil writer's part is thrown away. It returns nil at
// the end of the stream, also in the middle of a frame (the other side was killed). Frames are passed on as they
// come and never held: the length is the other side's word and may claim 4 GiB.
func Demux(out, errOut io.Writer, from io.Reader) error {
	if out == nil {
		out = io.Discard
	}
	if errOut == nil {
		errOut = io.Discard
	}
	var h [frameHeader]byte
	for {
		if _, err := io.ReadFull(from, h[:]); err != nil {
			return unlessEnd(err)
		}
		size := int64(binary.BigEndian.Uint32(h[4:]))
		to := out
		switch h[0] {
		case kindStdin, kindStdout:
		case kindStderr:
			to = errOut
		case kindError:
			b, err := io.ReadAll(io.LimitReader(from, min(size, errorBound)))
			if err != nil {
				return err
			}
			return fmt.Errorf("error from daemon in stream: %s", b)
		default:
			return fmt.Errorf("unrecognized input header: %d", h[0])
		}
		if _, err := io.CopyN(to, from, size); err != nil {
			return unlessEnd(err)
		}
	}
}

func unlessEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
