package agentapi

import (
	"encoding/json"
	"fmt"
	"net"
	"time"
)

// handshakeWithin bounds both halves of a handshake: a peer that says nothing holds no stream.
const handshakeWithin = 10 * time.Second

// Greet is the host's half of the handshake, on a fresh control stream. Where the two cannot speak with each other the
// error is an *Error that says which to update. The caller closes conn when there is an error.
func Greet(conn net.Conn, h Hello) (Welcome, error) {
	var w Welcome
	defer bounded(conn)()
	h.Min, h.Max = MinVersion, MaxVersion
	body, err := json.Marshal(h)
	if err != nil {
		return w, err
	}
	if err := WriteFrame(conn, Frame{ID: 1, Op: OpHello, Body: body}); err != nil {
		return w, fmt.Errorf("hello: %w", err)
	}
	var f Frame
	if err := ReadFrame(conn, &f); err != nil {
		return w, fmt.Errorf("answer to hello: %w", err)
	}
	if f.Error != nil {
		return w, f.Error
	}
	if err := json.Unmarshal(f.Body, &w); err != nil {
		return w, fmt.Errorf("answer to hello: %w", err)
	}
	if w.Version < MinVersion || w.Version > MaxVersion {
		return w, Errorf(CodeInvalid, "the virtual machine picked protocol %d of %d to %d", w.Version, MinVersion, MaxVersion)
	}
	return w, nil
}

// Receive is the guest's half. welcome makes the answer; Version is filled in here.
func Receive(conn net.Conn, welcome func(Hello) Welcome) (Hello, error) {
	var f Frame
	defer bounded(conn)()
	if err := ReadFrame(conn, &f); err != nil {
		return Hello{}, fmt.Errorf("hello: %w", err)
	}
	h, version, err := greeting(f)
	if err != nil {
		_ = WriteFrame(conn, Frame{ID: f.ID, Error: err.(*Error)})
		return h, err
	}
	w := welcome(h)
	w.Version = version
	body, err := json.Marshal(w)
	if err != nil {
		return h, err
	}
	return h, WriteFrame(conn, Frame{ID: f.ID, Body: body})
}

// greeting reads a hello out of a first frame. An error of it is an *Error.
func greeting(f Frame) (Hello, int, error) {
	if f.Op != OpHello {
		return Hello{}, 0, Errorf(CodeInvalid, "the first frame is %q, not hello", f.Op)
	}
	h, err := Decode[Hello](f.Body)
	if err != nil {
		return h, 0, err
	}
	version, err := Agree(h)
	return h, version, err
}

func bounded(conn net.Conn) (free func()) {
	_ = conn.SetDeadline(time.Now().Add(handshakeWithin))
	return func() { _ = conn.SetDeadline(time.Time{}) }
}
