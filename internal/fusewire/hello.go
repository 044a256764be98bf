package fusewire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// Version of the frames around FUSE's own protocol.
const Version = 1

// What a stream is for.
const (
	RoleWorker = "worker"
	RoleNotify = "notify"
)

// Hello is the first thing on a stream, from the host.
type Hello struct {
	Version int    `json:"version"`
	Role    string `json:"role"`
	Share   string `json:"share"`          // where it is mounted, below the relay's root: one name
	Session string `json:"session"`        // streams of another session belong to another server
	File    bool   `json:"file,omitempty"` // the share is a single file
}

// Welcome is the guest's answer.
type Welcome struct {
	Version int    `json:"version"`
	Error   string `json:"error,omitempty"`
}

const maxHello = 4096

// WriteJSON sends a Hello or a Welcome.
func WriteJSON(w io.Writer, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(body))), body...))
	return err
}

// ReadJSON receives a Hello or a Welcome.
func ReadJSON(r io.Reader, v any) error {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return err
	}
	n := binary.LittleEndian.Uint32(length[:])
	if n > maxHello {
		return fmt.Errorf("greeting of %d bytes on a file stream", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}

// Greet says hello and reads the answer.
func Greet(rw io.ReadWriter, h Hello) error {
	h.Version = Version
	if err := WriteJSON(rw, h); err != nil {
		return fmt.Errorf("greeting the file relay: %w", err)
	}
	var w Welcome
	if err := ReadJSON(rw, &w); err != nil {
		return fmt.Errorf("greeting the file relay: %w", err)
	}
	if w.Error != "" {
		return fmt.Errorf("share %s: the guest refuses it: %s", h.Share, w.Error)
	}
	return nil
}
