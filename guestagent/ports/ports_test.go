package ports_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/berthhq/berth/guestagent/ports"
	"github.com/berthhq/berth/internal/agentapi"
)

// host is the other end of the link.
type host struct {
	mu     sync.Mutex
	gone   bool
	refuse *agentapi.Error
	asked  []string
}

var errNoHost = errors.New("no host")

func (h *host) ask(_ context.Context, op agentapi.Op, p agentapi.Port) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gone {
		return errNoHost
	}
	if h.refuse != nil {
		return h.refuse
	}
	h.asked = append(h.asked, string(op)+" "+p.Container)
	return nil
}

func (h *host) heard() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.asked
	h.asked = nil
	return out
}

// begin serves a broker and gives what the engine would say to it.
func begin(t *testing.T, h *host) (*ports.Broker, func(agentapi.Op, agentapi.Publish) error) {
	t.Helper()
	b := &ports.Broker{Ask: h.ask, NoHost: func(err error) bool { return errors.Is(err, errNoHost) }}
	socket := filepath.Join(t.TempDir(), "host.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go b.Serve(context.Background(), l)
	return b, func(op agentapi.Op, p agentapi.Publish) error {
		c, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		body, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var f agentapi.Frame
		if err := errors.Join(agentapi.WriteFrame(c, agentapi.Frame{ID: 7, Op: op, Body: body}), agentapi.ReadFrame(c, &f)); err != nil || f.ID != 7 {
			t.Fatalf("%+v, %v", f, err)
		}
		if f.Error != nil {
			return f.Error
		}
		return nil
	}
}

func port(n uint16, container string) agentapi.Publish {
	return agentapi.Publish{Port: agentapi.Port{Proto: "tcp", Address: "0.0.0.0", Port: n, Container: container}, Target: "127.0.0.1:1"}
}

func TestTheHostIsAskedOnceAndToldAgain(t *testing.T) {
	h := &host{}
	b, say := begin(t, h)
	for range 2 { // the engine was killed and asks again
		if err := say(agentapi.OpPortOpen, port(80, "one")); err != nil {
			t.Fatal(err)
		}
	}
	h.mu.Lock()
	h.gone = true
	h.mu.Unlock()
	if err := say(agentapi.OpPortOpen, port(81, "two")); err != nil {
		t.Errorf("without a host: %v", err)
	}
	if got := h.heard(); !slices.Equal(got, []string{"port.open one"}) {
		t.Errorf("the host heard %v", got)
	}
	h.mu.Lock()
	h.gone = false
	h.mu.Unlock()
	b.Again(t.Context())
	if got := slices.Sorted(slices.Values(h.heard())); !slices.Equal(got, []string{"port.open one", "port.open two"}) {
		t.Errorf("a new host heard %v", got)
	}
	for range 2 {
		if err := say(agentapi.OpPortClose, port(80, "one")); err != nil {
			t.Fatal(err)
		}
	}
	if got := h.heard(); !slices.Equal(got, []string{"port.close one"}) {
		t.Errorf("at the end the host heard %v", got)
	}
}

func TestTheHostsRefusalReachesTheEngine(t *testing.T) {
	h := &host{refuse: agentapi.Errorf(agentapi.CodeTaken, "process nginx has it")}
	b, say := begin(t, h)
	if err := say(agentapi.OpPortOpen, port(80, "one")); agentapi.CodeOf(err) != agentapi.CodeTaken || err.Error() != "process nginx has it" {
		t.Errorf("%v", err)
	}
	h.refuse = nil
	b.Again(t.Context())
	if got := h.heard(); len(got) > 0 {
		t.Errorf("a port that was refused is asked for again: %v", got)
	}
	for _, bad := range []agentapi.Publish{{Port: port(80, "x").Port}, {Port: port(80, "x").Port, Target: "container:80"}} {
		if err := say(agentapi.OpPortOpen, bad); agentapi.CodeOf(err) != agentapi.CodeInvalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if err := say(agentapi.OpPower, port(80, "x")); agentapi.CodeOf(err) != agentapi.CodeUnknown {
		t.Errorf("%v", err)
	}
}

// stream dials the forwarder as the host does.
func stream(t *testing.T, address string, f *agentapi.Forward) (*net.TCPConn, *agentapi.Error) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	var o agentapi.Opened
	if err := errors.Join(agentapi.WriteFrame(c, agentapi.Open{Forward: f}), agentapi.ReadFrame(c, &o)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn), o.Error
}

func TestConnectionsReachTheContainer(t *testing.T) {
	b, say := begin(t, &host{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	join := func(host, container net.Conn) {
		go func() { _, _ = io.Copy(container, host); _ = container.(*net.TCPConn).CloseWrite() }()
		_, _ = io.Copy(host, container)
		host.Close()
	}
	go b.Forward(t.Context(), l, join)
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer web.Close()
	go func() {
		c, err := web.Accept()
		if err != nil {
			return
		}
		in, _ := io.ReadAll(c)
		_, _ = c.Write(append([]byte("page for "), in...))
		c.Close()
	}()
	p := port(80, "one")
	p.Target = web.Addr().String()
	if err := say(agentapi.OpPortOpen, p); err != nil {
		t.Fatal(err)
	}
	c, refused := stream(t, l.Addr().String(), &agentapi.Forward{Port: p.Port, Client: "192.0.2.1:5"})
	if refused != nil {
		t.Fatal(refused)
	}
	_, _ = c.Write([]byte("me"))
	_ = c.CloseWrite()
	if got, err := io.ReadAll(c); err != nil || string(got) != "page for me" {
		t.Errorf("%q, %v", got, err)
	}
	for _, f := range []*agentapi.Forward{nil, {Port: port(81, "one").Port}, {Port: port(80, "two").Port}} {
		if _, refused := stream(t, l.Addr().String(), f); refused == nil {
			t.Errorf("%+v is taken", f)
		}
	}
}

func TestDatagramsReachTheContainer(t *testing.T) {
	b, say := begin(t, &host{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go b.Forward(t.Context(), l, nil)
	dns, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer dns.Close()
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := dns.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = dns.WriteTo(append([]byte("re "), buf[:n]...), from)
		}
	}()
	p := agentapi.Publish{Port: agentapi.Port{Proto: "udp", Address: "0.0.0.0", Port: 53, Container: "one"}, Target: dns.LocalAddr().String()}
	if err := say(agentapi.OpPortOpen, p); err != nil {
		t.Fatal(err)
	}
	c, refused := stream(t, l.Addr().String(), &agentapi.Forward{Port: p.Port, Client: "192.0.2.1:5"})
	if refused != nil {
		t.Fatal(refused)
	}
	buf := make([]byte, agentapi.MaxDatagram)
	for _, q := range []string{"one", "", "two"} {
		if err := agentapi.WriteDatagram(c, []byte(q)); err != nil {
			t.Fatal(err)
		}
		if d, err := agentapi.ReadDatagram(c, buf); err != nil || string(d) != "re "+q {
			t.Errorf("%q, %v", d, err)
		}
	}
}
