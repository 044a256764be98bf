package agentapi

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// MaxFrame bounds the JSON of one frame, so that a peer gone mad costs no memory.
const MaxFrame = 256 << 10

// Frame is one message: a request (ID and Op), its answer (the same ID, no Op) or an event (Op, no ID). Each end counts
// its own IDs from 1.
type Frame struct {
	ID    uint64          `json:"id,omitempty"`
	Op    Op              `json:"op,omitempty"`
	Body  json.RawMessage `json:"body,omitempty"`
	Error *Error          `json:"error,omitempty"`
}

// WriteFrame writes one message in a single Write.
func WriteFrame(w io.Writer, msg any) error {
	body, err := json.Marshal(msg)
	if err != nil {
		return err
	}
	if len(body) > MaxFrame {
		return fmt.Errorf("control frame of %d bytes is over the limit of %d", len(body), MaxFrame)
	}
	buf := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body)))
	_, err = w.Write(append(buf, body...))
	return err
}

// ReadFrame reads one message into msg. io.EOF means that the peer closed between frames. It reads nothing beyond the
// frame, so bytes that follow it are the caller's.
func ReadFrame(r io.Reader, msg any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > MaxFrame {
		return fmt.Errorf("control frame of %d bytes is outside 1 to %d", n, MaxFrame)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	if err := json.Unmarshal(body, msg); err != nil {
		return fmt.Errorf("control frame: %w", err)
	}
	return nil
}
