package guestagent

import (
	"bytes"
	"crypto/rand"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// pair is a connected pair of unix sockets.
func pair(t *testing.T) (*net.UnixConn, *net.UnixConn) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s")})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*net.UnixConn{a, b} {
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		t.Cleanup(func() { c.Close() })
	}
	return a, b
}

// spliced is a host's end and an engine's end with a splice between them.
func spliced(t *testing.T) (host, engine *net.UnixConn, done chan struct{}) {
	host, a := pair(t)
	engine, b := pair(t)
	done = make(chan struct{})
	go func() { splice(a, b); close(done) }()
	return host, engine, done
}

func ends(t *testing.T, done chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("the splice goes on")
	}
}

func TestOneHalfEndsAndTheOtherGoesOn(t *testing.T) {
	host, engine, done := spliced(t)
	in := make([]byte, 1<<20)
	_, _ = rand.Read(in)
	go func() { _, _ = host.Write(in); _ = host.CloseWrite() }()
	got, err := io.ReadAll(engine)
	if err != nil || !bytes.Equal(got, in) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	for _, text := range []string{"one ", "two"} { // long after the input's end
		if _, err := engine.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	engine.Close()
	out, err := io.ReadAll(host)
	if err != nil || string(out) != "one two" {
		t.Fatalf("%q %v", out, err)
	}
	ends(t, done)
}

func TestAnEngineThatIsGoneStopsTheHostsWrites(t *testing.T) {
	host, engine, done := spliced(t)
	engine.Close()
	var err error
	for end := time.Now().Add(10 * time.Second); err == nil && time.Now().Before(end); {
		_, err = host.Write(make([]byte, 4096))
	}
	if err == nil {
		t.Error("the host writes on to nobody")
	}
	host.Close()
	ends(t, done)
}

func TestAHostThatIsGoneEndsTheEnginesConnection(t *testing.T) {
	host, engine, done := spliced(t)
	host.Close()
	if _, err := io.ReadAll(engine); err != nil {
		t.Error(err)
	}
	var err error
	for end := time.Now().Add(10 * time.Second); err == nil && time.Now().Before(end); {
		_, err = engine.Write(make([]byte, 4096))
	}
	if err == nil {
		t.Error("the engine writes on to nobody")
	}
	engine.Close()
	ends(t, done)
}
