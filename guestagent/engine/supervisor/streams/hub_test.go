//go:build linux

package streams

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"golang.org/x/sys/unix"
)

// memory is a sink that a test reads.
type memory struct {
	mu      sync.Mutex
	b       bytes.Buffer
	flushed bool
}

func (m *memory) Add(p []byte, _ time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.b.Write(p)
	return nil
}

func (m *memory) Flush(time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.flushed = true
	return nil
}

func (m *memory) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.b.String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bound is a hub with a process whose ends the test has.
func bound(t *testing.T, stdin, once bool, sink Sink) (*Hub, Child) {
	t.Helper()
	h := NewHub(Callbacks{})
	p, c, err := Pipes(stdin)
	must(t, err)
	h.Bind(p, once, Outlet{Sink: sink}, Outlet{Sink: sink})
	t.Cleanup(func() { c.Close(); h.Drop() })
	return h, c
}

func attach(t *testing.T, h *Hub, a proto.Attach) *net.UnixConn {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	near := os.NewFile(uintptr(fds[0]), "near")
	defer near.Close()
	must(t, h.Attach(os.NewFile(uintptr(fds[1]), "far"), a, nil))
	c, err := net.FileConn(near)
	must(t, err)
	c.SetDeadline(time.Now().Add(20 * time.Second))
	t.Cleanup(func() { c.Close() })
	return c.(*net.UnixConn)
}

func all(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	must(t, err)
	return string(b)
}

func TestOutputReachesEveryone(t *testing.T) {
	log := &memory{}
	h, c := bound(t, false, false, log)
	plain := attach(t, h, proto.Attach{Stdout: true})
	framed := attach(t, h, proto.Attach{Stdout: true, Stderr: true, Mux: true})
	c.Stdout.WriteString("out")
	h.Settle(5 * time.Second)
	c.Stderr.WriteString("err")
	c.Close()
	h.Drain()
	h.Finish()
	if got := all(t, plain); got != "out" {
		t.Errorf("the plain client read %q", got)
	}
	if got := all(t, framed); got != "\x01\x00\x00\x00\x00\x00\x00\x03out\x02\x00\x00\x00\x00\x00\x00\x03err" {
		t.Errorf("the framed client read %q", got)
	}
	if log.String() != "outerr" || !log.flushed {
		t.Errorf("the log has %q, flushed %v", log.String(), log.flushed)
	}
}

func TestClientsMayComeFirst(t *testing.T) {
	h := NewHub(Callbacks{})
	client := attach(t, h, proto.Attach{Stdin: true, Stdout: true, Preface: []byte("early ")})
	client.Write([]byte("bird"))
	client.CloseWrite()
	p, c, err := Pipes(true)
	must(t, err)
	h.Bind(p, true, Outlet{}, Outlet{})
	if got := all(t, c.Stdin); got != "early bird" {
		t.Errorf("the process read %q", got)
	}
	c.Stdout.WriteString("reply")
	c.Close()
	h.Drain()
	h.Finish()
	if got := all(t, client); got != "reply" {
		t.Errorf("the client read %q", got)
	}
}

func TestStdinStaysOpenForTheNext(t *testing.T) {
	h, c := bound(t, true, false, nil)
	for _, word := range []string{"one", "two"} {
		client := attach(t, h, proto.Attach{Stdin: true})
		client.Write([]byte(word))
		client.CloseWrite()
		got := make([]byte, len(word))
		if _, err := io.ReadFull(c.Stdin, got); err != nil || string(got) != word {
			t.Errorf("the process read %q, %v", got, err)
		}
	}
	h.CloseStdin()
	if got := all(t, c.Stdin); got != "" {
		t.Errorf("after its end stdin gave %q", got)
	}
}

// As in docker a client that does not read holds the process up; it loses nothing once it reads.
func TestSlowClientLosesNothing(t *testing.T) {
	h, c := bound(t, false, false, nil)
	client := attach(t, h, proto.Attach{Stdout: true})
	const size = 6 << 20
	written := make(chan error, 1)
	go func() {
		_, err := c.Stdout.Write(bytes.Repeat([]byte("x"), size))
		written <- err
	}()
	select {
	case <-written:
		t.Error("6 MiB were taken for a client that reads nothing")
	case <-time.After(100 * time.Millisecond):
	}
	got := make([]byte, size)
	if n, err := io.ReadFull(client, got); err != nil {
		t.Errorf("read %d: %v", n, err)
	}
	must(t, <-written)
}

// A client that never reads does not hold up the end.
func TestDeadClientDoesNotDelayTheEnd(t *testing.T) {
	h, c := bound(t, false, false, nil)
	attach(t, h, proto.Attach{Stdout: true})
	go c.Stdout.Write(bytes.Repeat([]byte("x"), 3<<20))
	time.Sleep(50 * time.Millisecond)
	done := make(chan struct{})
	go func() { c.Close(); h.Drain(); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it did")
	}
}

// Another process may hold the output open; what is there is taken, and the wait ends.
func TestDrainEndsWhereOutputStaysOpen(t *testing.T) {
	log := &memory{}
	h, c := bound(t, false, false, log)
	c.Stdout.WriteString("last words")
	began := time.Now()
	h.Drain()
	if d := time.Since(began); d < linger || d > linger+5*time.Second {
		t.Errorf("it took %s", d)
	}
	if log.String() != "last words" {
		t.Errorf("the log has %q", log.String())
	}
}

func TestClientThatWentAwayIsForgotten(t *testing.T) {
	h, c := bound(t, false, false, nil)
	gone := make(chan struct{})
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	must(t, h.Attach(os.NewFile(uintptr(fds[1]), "far"), proto.Attach{Stdout: true}, func() { close(gone) }))
	unix.Close(fds[0])
	c.Stdout.WriteString("anybody?")
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Fatal("the client is still there")
	}
}

func TestFinishedHubClosesClients(t *testing.T) {
	h := NewHub(Callbacks{})
	early := attach(t, h, proto.Attach{Stdin: true, Stdout: true})
	h.Finish()
	late := attach(t, h, proto.Attach{Stdout: true})
	if got := all(t, early) + all(t, late); got != "" {
		t.Errorf("read %q", got)
	}
	if err := h.Resize(1, 1); err != ErrNoTerminal {
		t.Errorf("resize: %v", err)
	}
}

func TestDetachTellsAndCloses(t *testing.T) {
	told := make(chan struct{})
	h := NewHub(Callbacks{Detached: func() { close(told) }})
	p, c, err := Pipes(true)
	must(t, err)
	defer c.Close()
	defer h.Drop()
	h.Bind(p, true, Outlet{}, Outlet{})
	client := attach(t, h, proto.Attach{Stdin: true, Stdout: true, DetachKeys: []byte("qq")})
	client.Write([]byte("aqqb"))
	if got := all(t, client); got != "" {
		t.Errorf("read %q", got)
	}
	<-told
	got := make([]byte, 1)
	if _, err := io.ReadFull(c.Stdin, got); err != nil || string(got) != "a" {
		t.Errorf("the process read %q, %v", got, err)
	}
}

func TestFrame(t *testing.T) {
	for _, n := range []int{0, 1, 300, 70000} {
		p := []byte(strings.Repeat("z", n))
		b := frame(Stderr, p)
		if b[0] != 2 || int(binary.BigEndian.Uint32(b[4:8])) != n || !bytes.Equal(b[8:], p) {
			t.Errorf("frame of %d bytes: % x", n, b[:8])
		}
	}
}

// clients is how many a hub has.
func clients(h *Hub) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.clients)
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("still not so: " + what)
		}
	}
}

// A process that writes nothing does not keep the connection of a client that has left, whatever the client asked for.
func TestAClientThatLeavesASilentProcessIsForgotten(t *testing.T) {
	for name, o := range map[string]proto.Attach{
		"output only": {Stdout: true}, "input too": {Stdin: true, Stdout: true}, "nothing": {},
	} {
		h, _ := bound(t, true, false, nil)
		attach(t, h, o).Close()
		eventually(t, name+": the client is gone", func() bool { return clients(h) == 0 })
		c := attach(t, h, o)
		must(t, c.CloseWrite())
		time.Sleep(50 * time.Millisecond)
		if clients(h) != 1 {
			t.Errorf("%s: a client that only sends no more was dropped", name)
		}
		c.Close()
		eventually(t, name+": the client is gone after its other half", func() bool { return clients(h) == 0 })
	}
}

// The same before there is a process. What the client has sent by then still reaches it.
func TestAClientThatLeavesBeforeTheProcess(t *testing.T) {
	h := NewHub(Callbacks{})
	silent := attach(t, h, proto.Attach{Stdin: true, Stdout: true})
	silent.Close()
	eventually(t, "the client is gone", func() bool { return clients(h) == 0 })
	said := attach(t, h, proto.Attach{Stdin: true})
	if _, err := said.Write([]byte("last words")); err != nil {
		t.Fatal(err)
	}
	said.Close()
	waiting := attach(t, h, proto.Attach{Stdout: true})
	p, child, err := Pipes(true)
	must(t, err)
	t.Cleanup(func() { child.Close(); h.Drop() })
	h.Bind(p, false, Outlet{}, Outlet{})
	words := make([]byte, 10)
	if _, err := io.ReadFull(child.Stdin, words); err != nil || string(words) != "last words" {
		t.Errorf("the process read %q, %v", words, err)
	}
	if _, err := child.Stdout.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(waiting, b); err != nil || string(b) != "hello" {
		t.Errorf("the client that stayed read %q, %v", b, err)
	}
}
