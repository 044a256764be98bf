package agentapi

import (
	"encoding/binary"
	"fmt"
	"io"
)

// MaxDatagram is the most that a datagram may carry, in bytes.
const MaxDatagram = 1<<16 - 1

// WriteDatagram writes a datagram to a stream of PortForward: two bytes of length, big endian, then its bytes, in a single
// Write. A datagram may be empty.
func WriteDatagram(w io.Writer, d []byte) error {
	if len(d) > MaxDatagram {
		return fmt.Errorf("datagram of %d bytes is over %d", len(d), MaxDatagram)
	}
	_, err := w.Write(append(binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(d)), uint16(len(d))), d...))
	return err
}

// ReadDatagram reads the next into buf, which has room for MaxDatagram bytes, and gives its part of it. io.EOF means that
// the peer has ended the stream between two.
func ReadDatagram(r io.Reader, buf []byte) ([]byte, error) {
	if _, err := io.ReadFull(r, buf[:2]); err != nil {
		return nil, err
	}
	d := buf[:binary.BigEndian.Uint16(buf)]
	if _, err := io.ReadFull(r, d); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return d, nil
}
