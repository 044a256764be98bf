//go:build linux

package vhostvsock

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

func forms(t *testing.T, test func(*testing.T, options)) {
	for _, o := range []options{{}, {eventIdx: true}, {indirect: true}, {eventIdx: true, indirect: true}} {
		t.Run(fmt.Sprintf("eventIdx=%v,indirect=%v", o.eventIdx, o.indirect), func(t *testing.T) { test(t, o) })
	}
}

func dial(t testing.TB, d *Device, port uint32) *Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, err := d.Dial(ctx, port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(60 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// eventually waits for what another goroutine brings about.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func TestEchoAndHalfClose(t *testing.T) {
	forms(t, func(t *testing.T, o options) {
		p := newPeer(t, o)
		c := dial(t, p.d, portEcho)
		want := make([]byte, 3<<20)
		rand.New(rand.NewSource(1)).Read(want)
		go func() {
			for rest := want; len(rest) > 0; {
				n := min(len(rest), 1+rand.Intn(100_000))
				if _, err := c.Write(rest[:n]); err != nil {
					t.Error(err)
				}
				rest = rest[n:]
			}
			if err := c.CloseWrite(); err != nil {
				t.Error(err)
			}
			if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
				t.Errorf("writing after CloseWrite: %v", err)
			}
		}()
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d of %d bytes, %v", len(got), len(want), err)
		}
		eventually(t, "the connection is forgotten on both sides", func() bool { return p.d.Streams() == 0 && p.count() == 0 })
	})
}

func TestWriteTo(t *testing.T) {
	p := newPeer(t, options{eventIdx: true})
	c := dial(t, p.d, portEcho)
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	go func() {
		if _, err := c.Write(want); err != nil {
			t.Error(err)
		}
		c.CloseWrite()
	}()
	var got bytes.Buffer
	if n, err := c.WriteTo(&got); err != nil || n != int64(len(want)) || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%d of %d bytes, %v", n, len(want), err)
	}
}

func TestRefused(t *testing.T) {
	p := newPeer(t, options{})
	if _, err := p.d.Dial(t.Context(), portNone); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v", err)
	}
	if n := p.d.Streams(); n != 0 {
		t.Errorf("%d streams are left", n)
	}
}

func TestDialWaitsForTheGuest(t *testing.T) {
	d := New(testCID, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := d.Dial(ctx, portEcho); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if n := d.Streams(); n != 0 {
		t.Errorf("%d streams are left", n)
	}
}

func TestBackPressureIsPerConnection(t *testing.T) {
	p := newPeer(t, options{eventIdx: true, indirect: true})
	stalled := dial(t, p.d, portStall)
	stalled.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
	n, err := stalled.Write(make([]byte, 1<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) || n != peerWindow {
		t.Errorf("%d bytes written to a guest that promised %d: %v", n, peerWindow, err)
	}
	c := dial(t, p.d, portEcho)
	if _, err := c.Write([]byte("others go on")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 12)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "others go on" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestWhatIsNotReadStopsTheGuest: the guest may send its window and no more, and goes on when it is read.
func TestWhatIsNotReadStopsTheGuest(t *testing.T) {
	p := newPeer(t, options{})
	c := dial(t, p.d, portEcho)
	const size = leastWindow + 100<<10
	if _, err := c.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the window is full", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.in.n == leastWindow })
	time.Sleep(20 * time.Millisecond)
	c.mu.Lock()
	n := c.in.n
	c.mu.Unlock()
	if n != leastWindow {
		t.Errorf("%d bytes are kept, the window is %d", n, leastWindow)
	}
	if _, err := io.ReadFull(c, make([]byte, size)); err != nil {
		t.Error(err)
	}
}

func TestManyConnections(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 1000
	}
	p := newPeer(t, options{eventIdx: true, indirect: true})
	before := runtime.NumGoroutine()
	conns := make([]*Conn, n)
	var all sync.WaitGroup
	for w := range 16 {
		all.Go(func() {
			for i := w; i < n; i += 16 {
				c, err := p.d.Dial(context.Background(), portEcho)
				if err != nil {
					t.Error(err)
					return
				}
				conns[i] = c
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	if got := p.d.Streams(); got != n {
		t.Errorf("%d streams, want %d", got, n)
	}
	if more := runtime.NumGoroutine() - before; more > 10 {
		t.Errorf("%d goroutines for connections that do nothing", more)
	}
	for w := range 16 {
		all.Go(func() {
			for i := w; i < n; i += 16 {
				if err := once(conns[i], fmt.Sprintf("connection %d", i)); err != nil {
					t.Errorf("connection %d: %v", i, err)
					return
				}
			}
		})
	}
	all.Wait()
	eventually(t, "all connections are gone", func() bool { return p.d.Streams() == 0 && p.count() == 0 })
	if grown := p.d.grown.Load(); grown != 0 {
		t.Errorf("%d bytes of windows are still counted", grown)
	}
}

func once(c *Conn, want string) error {
	defer c.Close()
	if _, err := io.WriteString(c, want); err != nil {
		return err
	}
	if err := c.CloseWrite(); err != nil {
		return err
	}
	if got, err := io.ReadAll(c); err != nil || string(got) != want {
		return fmt.Errorf("got %q, %w", got, err)
	}
	return nil
}

func TestConnectionsComeAndGo(t *testing.T) {
	p := newPeer(t, options{eventIdx: true})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 200 {
				c, err := p.d.Dial(context.Background(), portEcho)
				if err != nil {
					t.Error(err)
					return
				}
				if i%3 == 0 { // closed under the other's feet
					_, _ = c.Write(make([]byte, 1000))
					c.Close()
				} else if err := once(c, "hello"); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	eventually(t, "all connections are gone", func() bool { return p.d.Streams() == 0 && p.count() == 0 })
}

func TestPauseKeepsStreams(t *testing.T) {
	p := newPeer(t, options{eventIdx: true})
	c := dial(t, p.d, portEcho)
	if err := exchange(c, "before"); err != nil {
		t.Fatal(err)
	}
	p.halt()
	base := make([]uint32, rings)
	for i := range uint32(rings) {
		b := p.request(getVringBase, le32(i, 0), true)
		base[i] = uint32(b[4]) | uint32(b[5])<<8
	}
	if uint16(base[rxRing]) == 0 {
		t.Error("the ring has no place")
	}
	wrote := make(chan error, 1)
	go func() { wrote <- exchange(c, "during") }()
	select {
	case err := <-wrote:
		t.Fatalf("a paused guest answers: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	for i, r := range []*driverRing{&p.rx, &p.tx} {
		p.ok(setVringBase, le32(uint32(i), base[i]))
		p.ok(setVringKick, number(uint64(i)), r.kick)
		p.ok(setVringEnable, le32(uint32(i), 1))
	}
	p.stop, p.done = make(chan struct{}), make(chan struct{})
	go p.loop()
	if err := <-wrote; err != nil {
		t.Error(err)
	}
}

func exchange(c *Conn, s string) error {
	if _, err := io.WriteString(c, s); err != nil {
		return err
	}
	got := make([]byte, len(s))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != s {
		return fmt.Errorf("got %q, %w", got, err)
	}
	return nil
}

func TestTheEndOfTheGuestCutsStreams(t *testing.T) {
	p := newPeer(t, options{})
	c := dial(t, p.d, portEcho)
	if err := exchange(c, "alive"); err != nil {
		t.Fatal(err)
	}
	p.halt()
	p.c.Close()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read: %v", err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("write: %v", err)
	}
	if _, err := p.d.Dial(t.Context(), portEcho); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("dial: %v", err)
	}
}

func BenchmarkHostToGuest(b *testing.B) {
	p := newPeer(b, options{eventIdx: true, indirect: true})
	c := dial(b, p.d, portSink)
	c.SetDeadline(time.Time{})
	buf := make([]byte, 64<<10)
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		if _, err := c.Write(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	p := newPeer(b, options{eventIdx: true, indirect: true})
	c := dial(b, p.d, portEcho)
	c.SetDeadline(time.Time{})
	for b.Loop() {
		if err := exchange(c, "x"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkConnect(b *testing.B) {
	p := newPeer(b, options{eventIdx: true, indirect: true})
	for b.Loop() {
		c, err := p.d.Dial(context.Background(), portEcho)
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}
