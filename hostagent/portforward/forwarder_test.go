package portforward_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/berthhq/berth/hostagent/portforward"
	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/internal/agentapi"
)

// guest is the guest's end: it answers each stream's Open, tells who came, and hands the stream to serve.
type guest struct {
	refuse *agentapi.Error
	came   chan agentapi.Forward
	serve  func(*net.TCPConn)
	open   atomic.Int64
}

func (g *guest) Dial(_ context.Context, port uint32) (transport.Conn, error) {
	if port != agentapi.PortForward {
		return nil, errors.New("not the port of published ports")
	}
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	here, err := net.DialTCP("tcp4", nil, l.Addr().(*net.TCPAddr))
	if err != nil {
		return nil, err
	}
	there, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	g.open.Add(1)
	go func() {
		defer g.open.Add(-1)
		defer there.Close()
		var o agentapi.Open
		if agentapi.ReadFrame(there, &o) != nil || agentapi.WriteFrame(there, agentapi.Opened{Error: g.refuse}) != nil || g.refuse != nil {
			return
		}
		g.came <- *o.Forward
		g.serve(there)
	}()
	return here, nil
}

func forward(t *testing.T, serve func(*net.TCPConn)) (*guest, *portforward.Forwarder) {
	g := &guest{came: make(chan agentapi.Forward, 1024), serve: serve}
	f := portforward.New(g)
	t.Cleanup(f.End)
	return g, f
}

// free is a port that nobody has.
func free(t *testing.T, network string) uint16 {
	t.Helper()
	if strings.HasPrefix(network, "udp") {
		c, err := net.ListenPacket(network, "")
		if err != nil {
			t.Skip(err)
		}
		defer c.Close()
		return netip.MustParseAddrPort(c.LocalAddr().String()).Port()
	}
	l, err := net.Listen(network, "")
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	return netip.MustParseAddrPort(l.Addr().String()).Port()
}

func echo(c *net.TCPConn) {
	b, _ := io.ReadAll(c)
	_, _ = c.Write(append([]byte("echo "), b...))
}

func at(p agentapi.Port, host string) string {
	return net.JoinHostPort(host, strconv.Itoa(int(p.Port)))
}

func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	return c.(*net.TCPConn)
}

func TestAConnectionReachesTheGuestWithItsClient(t *testing.T) {
	for network, host := range map[string]string{"tcp4": "127.0.0.1", "tcp6": "::1"} {
		g, f := forward(t, echo)
		p := agentapi.Port{Proto: "tcp", Port: free(t, network), Container: "c", Address: map[string]string{"tcp6": "::"}[network]}
		if err := f.Open(p); err != nil {
			t.Fatal(err)
		}
		c := dial(t, at(p, host))
		_, _ = c.Write([]byte("hello"))
		_ = c.CloseWrite()
		if b, err := io.ReadAll(c); err != nil || string(b) != "echo hello" {
			t.Errorf("%s: %q, %v", network, b, err)
		}
		if who := <-g.came; who.Client != c.LocalAddr().String() || who.Port != p {
			t.Errorf("%s: the guest hears of %+v; the client is %s", network, who, c.LocalAddr())
		}
	}
}

func TestATakenPortNamesItsHolder(t *testing.T) {
	_, f := forward(t, echo)
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := agentapi.Port{Proto: "tcp", Port: netip.MustParseAddrPort(l.Addr().String()).Port(), Container: "one"}
	err = f.Open(p)
	if agentapi.CodeOf(err) != agentapi.CodeTaken || !strings.Contains(err.Error(), "(pid "+strconv.Itoa(os.Getpid())+")") {
		t.Errorf("%v", err)
	}
	l.Close()
	for range 2 { // the guest may ask again, after its link was lost
		if err := f.Open(p); err != nil {
			t.Fatal(err)
		}
	}
	other := p
	other.Container = "two"
	if err := f.Open(other); agentapi.CodeOf(err) != agentapi.CodeTaken || !strings.Contains(err.Error(), "container one") {
		t.Errorf("%v", err)
	}
	if err := f.Close(other); err != nil { // not its own
		t.Fatal(err)
	}
	dial(t, at(p, "127.0.0.1"))
	if err := f.Close(p); err != nil {
		t.Fatal(err)
	}
	if err := f.Open(other); err != nil {
		t.Errorf("after the close: %v", err)
	}
	if got := f.Ports(); len(got) != 1 || got[0] != other {
		t.Errorf("open: %v", got)
	}
}

func TestPortsThatMakeNoSenseAreRefused(t *testing.T) {
	_, f := forward(t, echo)
	for _, p := range []agentapi.Port{
		{Proto: "tcp"}, {Proto: "sctp", Port: 1}, {Port: 1}, {Proto: "tcp", Port: 1, Address: "localhost"},
		{Proto: "tcp", Port: 1, Address: "fe80::1%eth0"}, {Proto: "tcp", Port: 1, Address: "127.0.0.1:80"},
	} {
		if err := f.Open(p); agentapi.CodeOf(err) != agentapi.CodeInvalid {
			t.Errorf("%+v: %v", p, err)
		}
	}
	if err := f.Open(agentapi.Port{Proto: "tcp", Port: free(t, "tcp4"), Address: "192.0.2.1"}); agentapi.CodeOf(err) != agentapi.CodeFailed {
		t.Errorf("an address that is not this computer's: %v", err)
	}
}

func TestAConnectionThatTheGuestRefusesIsReset(t *testing.T) {
	g, f := forward(t, echo)
	g.refuse = agentapi.Errorf(agentapi.CodeUnavailable, "nobody there")
	p := agentapi.Port{Proto: "tcp", Port: free(t, "tcp4"), Container: "c"}
	if err := f.Open(p); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", at(p, "127.0.0.1"))
	if err == nil { // else the reset has come before the dial was done
		defer c.Close()
		_, err = c.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v", err)
	}
}

func TestDatagramsGoBothWaysToTheirClients(t *testing.T) {
	g, f := forward(t, func(c *net.TCPConn) {
		buf := make([]byte, agentapi.MaxDatagram+1)
		for {
			d, err := agentapi.ReadDatagram(c, buf)
			if err != nil || agentapi.WriteDatagram(c, append([]byte("echo "), d...)) != nil {
				return
			}
		}
	})
	p := agentapi.Port{Proto: "udp", Port: free(t, "udp4"), Container: "c"}
	if err := f.Open(p); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			c, err := net.Dial("udp", at(p, "127.0.0.1"))
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(30 * time.Second))
			for n := range 5 {
				want := strconv.Itoa(i) + strings.Repeat("x", n*100)
				_, _ = c.Write([]byte(want))
				buf := make([]byte, 2048)
				if n, err := c.Read(buf); err != nil || string(buf[:n]) != "echo "+want {
					t.Errorf("client %d: %q, %v", i, buf[:n], err)
					return
				}
			}
		})
	}
	all.Wait()
	if n := len(g.came); n != 20 {
		t.Errorf("%d streams for 20 clients", n)
	}
	f.End()
	for end := time.Now().Add(10 * time.Second); g.open.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d streams are left", g.open.Load())
		}
	}
}

func TestTheEndCutsEverything(t *testing.T) {
	_, f := forward(t, func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) })
	p := agentapi.Port{Proto: "tcp", Port: free(t, "tcp4"), Container: "c"}
	if err := f.Open(p); err != nil {
		t.Fatal(err)
	}
	c := dial(t, at(p, "127.0.0.1"))
	_, _ = c.Write([]byte("x"))
	f.End()
	if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection goes on: %v", err)
	}
	if _, err := net.Dial("tcp", at(p, "127.0.0.1")); err == nil {
		t.Error("the port is still open")
	}
	if err := f.Open(p); agentapi.CodeOf(err) != agentapi.CodeUnavailable {
		t.Errorf("after the end: %v", err)
	}
}
