package fusewire

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Sizes of the headers.
const (
	RequestHeader = 40
	ReplyHeader   = 16
)

// Header stands before every request. PID is the thread's, in the relay's pid namespace, and 0 where nobody in
// particular asks.
type Header struct {
	Op            Opcode
	Unique        uint64
	Node          uint64
	UID, GID, PID uint32
}

// ParseHeader reads the header of a whole request and what follows it.
func ParseHeader(msg []byte) (Header, []byte, error) {
	if len(msg) < RequestHeader || len(msg) != int(binary.LittleEndian.Uint32(msg)) {
		return Header{}, nil, fmt.Errorf("fuse request of %d bytes: its length is wrong", len(msg))
	}
	le := binary.LittleEndian
	h := Header{
		Op: Opcode(le.Uint32(msg[4:])), Unique: le.Uint64(msg[8:]), Node: le.Uint64(msg[16:]),
		UID: le.Uint32(msg[24:]), GID: le.Uint32(msg[28:]), PID: le.Uint32(msg[32:]),
	}
	body := msg[RequestHeader:]
	if ext := int(le.Uint16(msg[36:])) * 8; ext > 0 { // extensions stand at the end
		if ext > len(body) {
			return Header{}, nil, fmt.Errorf("fuse request of %d bytes: extensions of %d", len(msg), ext)
		}
		body = body[:len(body)-ext]
	}
	return h, body, nil
}

// AppendRequest adds a whole request to b.
func AppendRequest(b []byte, h Header, body []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, uint32(RequestHeader+len(body)))
	b = le.AppendUint32(b, uint32(h.Op))
	b = le.AppendUint64(b, h.Unique)
	b = le.AppendUint64(b, h.Node)
	b = le.AppendUint32(b, h.UID)
	b = le.AppendUint32(b, h.GID)
	b = le.AppendUint32(b, h.PID)
	b = le.AppendUint32(b, 0)
	return append(b, body...)
}

// SealReply writes the header of an answer into the first bytes of b, which are reserved for it. An answer with an error
// has no body.
func SealReply(b []byte, unique uint64, errno Errno) []byte {
	if errno != OK {
		b = b[:ReplyHeader]
	}
	le := binary.LittleEndian
	le.PutUint32(b, uint32(len(b)))
	le.PutUint32(b[4:], uint32(-int32(errno)))
	le.PutUint64(b[8:], unique)
	return b
}

// ReadMessage reads one message, a request or an answer, into buf, which it makes larger where it must, up to MaxMessage.
func ReadMessage(r io.Reader, buf []byte, least int) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return buf, err
	}
	n := int(binary.LittleEndian.Uint32(length[:]))
	if n < least || n > MaxMessage {
		return buf, fmt.Errorf("fuse message of %d bytes: must be %d to %d", n, least, MaxMessage)
	}
	if cap(buf) < n {
		buf = make([]byte, n, roundUp(n))
	}
	buf = buf[:n]
	copy(buf, length[:])
	_, err := io.ReadFull(r, buf[4:])
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return buf, err
}

func roundUp(n int) int {
	size := 8 << 10
	for size < n {
		size *= 4
	}
	return size
}
