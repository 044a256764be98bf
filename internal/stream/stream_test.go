package stream

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// frame is one piece of docker's framed output.
func frame(kind byte, s string) []byte {
	b := make([]byte, 8, 8+len(s))
	b[0] = kind
	binary.BigEndian.PutUint32(b[4:], uint32(len(s)))
	return append(b, s...)
}

// pair is a connected client and engine.
func pair(t *testing.T) (client Peer, engine *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	e, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(); _ = e.Close() })
	return c.(*net.TCPConn), e.(*net.TCPConn)
}

func TestEndOfInputIsPassedOnAndOutputStillComes(t *testing.T) {
	client, engine := pair(t)
	go func() {
		in, _ := io.ReadAll(engine) // returns at the half-close only
		_, _ = engine.Write(frame(1, "got "+string(in)))
		_, _ = engine.Write(frame(2, "oops"))
		_ = engine.Close()
	}()
	var out, errOut bytes.Buffer
	err := Session{In: strings.NewReader("hi"), Out: &out, Err: &errOut}.Copy(t.Context(), client)
	if err != nil || out.String() != "got hi" || errOut.String() != "oops" {
		t.Fatalf("out %q, err %q, error %v", out.String(), errOut.String(), err)
	}
}

func TestInputThatNeverEndsDoesNotHoldTheEnd(t *testing.T) {
	client, engine := pair(t)
	in, w := io.Pipe()
	defer func() { _ = w.Close() }()
	_, _ = engine.Write(frame(1, "bye"))
	_ = engine.Close()
	var out bytes.Buffer
	if err := (Session{In: in, Out: &out}).Copy(t.Context(), client); err != nil || out.String() != "bye" {
		t.Fatalf("out %q, error %v", out.String(), err)
	}
}

func TestDetachKeys(t *testing.T) {
	for _, c := range []struct{ name, keys, typed string }{
		{"docker's own", "", "ls\x10\x11"},
		{"chosen", "ctrl-x,q", "ls\x18q"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, engine := pair(t)
			got := make(chan string, 1)
			go func() {
				b := make([]byte, 2)
				_, _ = io.ReadFull(engine, b)
				got <- string(b)
			}()
			in, w := io.Pipe()
			go func() { _, _ = w.Write([]byte(c.typed)) }()
			err := Session{In: in, Out: io.Discard, TTY: true, DetachKeys: c.keys}.Copy(t.Context(), client)
			if !errors.Is(err, ErrDetached) {
				t.Fatalf("error %v", err)
			}
			if s := <-got; s != "ls" {
				t.Fatalf("engine got %q", s)
			}
		})
	}
}

func TestDetachKeysMeanNothingWithoutATerminal(t *testing.T) {
	client, engine := pair(t)
	go func() {
		in, _ := io.ReadAll(engine)
		_, _ = engine.Write(frame(1, string(in)))
		_ = engine.Close()
	}()
	var out bytes.Buffer
	err := Session{In: strings.NewReader("\x10\x11"), Out: &out}.Copy(t.Context(), client)
	if err != nil || out.String() != "\x10\x11" {
		t.Fatalf("out %q, error %v", out.String(), err)
	}
}

func TestTerminalOutputIsNotFramed(t *testing.T) {
	client, engine := pair(t)
	_, _ = engine.Write([]byte("raw\r\n"))
	_ = engine.Close()
	var out bytes.Buffer
	if err := (Session{Out: &out, TTY: true}).Copy(t.Context(), client); err != nil || out.String() != "raw\r\n" {
		t.Fatalf("out %q, error %v", out.String(), err)
	}
}

func TestCancelEndsCopy(t *testing.T) {
	client, _ := pair(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := (Session{Out: io.Discard}).Copy(ctx, client); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v", err)
	}
}

func TestCheckDetachKeys(t *testing.T) {
	for keys, good := range map[string]bool{"": true, "ctrl-p,ctrl-q": true, "a": true, "ctrl-": false, "ab": false} {
		if err := CheckDetachKeys(keys); (err == nil) != good {
			t.Errorf("%q: %v", keys, err)
		}
	}
}
