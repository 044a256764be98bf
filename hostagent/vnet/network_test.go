package vnet_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/berthhq/berth/hostagent/vnet"
	"github.com/berthhq/berth/internal/agentapi"
	"github.com/miekg/dns"
)

// echo is a server on the host's loopback that gives back what it hears, after its end.
func echo(t *testing.T, network, address string) int {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b, _ := io.ReadAll(c)
				_, _ = c.Write(b)
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func TestTheHostsLoopbackIsReachedByItsName(t *testing.T) {
	g := connected(t, vnet.Options{})
	want := make([]byte, 3<<20)
	_, _ = rand.Read(want)
	for _, c := range []struct{ network, listen, dial string }{
		{"tcp4", "127.0.0.1:0", agentapi.NetworkHost4},
		{"tcp4", "127.0.0.1:0", agentapi.NetworkHost6},
		{"tcp6", "[::1]:0", agentapi.NetworkHost4},
	} {
		conn, err := g.tcp(c.dial, echo(t, c.network, c.listen))
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		go func() { _, _ = conn.Write(want); _ = conn.CloseWrite() }()
		got, err := io.ReadAll(conn)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%+v: %d bytes came back, %v", c, len(got), err)
		}
		conn.Close()
	}
}

// TestWhatTheGuestMayNotReach tries the host agent's own port by every address that may lead there, and what is beyond
// the host's links.
func TestWhatTheGuestMayNotReach(t *testing.T) {
	window := echo(t, "tcp4", "0.0.0.0:0")
	other := echo(t, "tcp4", "0.0.0.0:0")
	g := connected(t, vnet.Options{Private: func(p uint16) bool { return int(p) == window }})
	forbidden := []string{agentapi.NetworkHost4, agentapi.NetworkHost6}
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLoopback() && p.Addr().Is4() {
			forbidden = append(forbidden, p.Addr().String())
		}
	}
	for _, to := range forbidden {
		if c, err := g.tcp(to, window); err == nil {
			c.Close()
			t.Errorf("the window answers at %s", to)
		}
	}
	for _, to := range []string{"169.254.169.254", agentapi.NetworkGateway4, "192.168.65.77", "224.0.0.1"} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		done := make(chan error, 1)
		go func() {
			c, err := g.tcp(to, other)
			done <- err
			if err == nil {
				c.Close()
			}
		}()
		select {
		case err := <-done:
			if err == nil {
				t.Errorf("%s answers", to)
			}
		case <-ctx.Done(): // nobody answers at all
		}
		cancel()
	}
	c, err := g.tcp(agentapi.NetworkHost4, other)
	if err != nil {
		t.Fatalf("a service of the host: %v", err)
	}
	c.Close()
}

func TestARefusedConnectionIsRefusedInTheGuest(t *testing.T) {
	g := connected(t, vnet.Options{})
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	began := time.Now()
	if c, err := g.tcp(agentapi.NetworkHost4, port); err == nil {
		c.Close()
		t.Error("somebody answers at a port that is closed")
	} else if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it was refused after %s", took)
	}
}

func TestConnectionsOutliveTheStream(t *testing.T) {
	g := connected(t, vnet.Options{})
	c, err := g.tcp(agentapi.NetworkHost4, echo(t, "tcp4", "127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = c.Write([]byte("before "))
	for range 3 {
		g.cut()
		g.linked()
	}
	_, _ = c.Write([]byte("after"))
	_ = c.CloseWrite()
	_ = c.SetReadDeadline(time.Now().Add(60 * time.Second))
	if got, err := io.ReadAll(c); err != nil || string(got) != "before after" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestDatagrams(t *testing.T) {
	g := connected(t, vnet.Options{})
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = pc.WriteTo(append([]byte("re "), buf[:n]...), from)
		}
	}()
	c := g.udp(agentapi.NetworkHost4, pc.LocalAddr().(*net.UDPAddr).Port)
	buf := make([]byte, 1<<16)
	for _, q := range []string{"one", "two", string(make([]byte, 4000))} { // the last is cut up and put together again
		if _, err := c.Write([]byte(q)); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(buf); err != nil || string(buf[:n]) != "re "+q {
			t.Errorf("%d bytes, %v", n, err)
		}
	}
}

// answers is a resolver with one name.
type answers struct{ vnet.Resolver }

func missing(name string) error {
	return &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (answers) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	switch host {
	case "web.example.", "intranet":
		return []netip.Addr{netip.MustParseAddr("192.0.2.80")}, nil
	case "broken.example.":
		return nil, errors.New("no server answers")
	}
	return nil, missing(host)
}

func (answers) LookupTXT(_ context.Context, name string) ([]string, error) {
	if name == "text.example." {
		return []string{string(bytes.Repeat([]byte("x"), 600))}, nil
	}
	return nil, missing(name)
}

func (answers) LookupAddr(_ context.Context, a string) ([]string, error) {
	if a == "192.0.2.80" || a == "2001:db8::80" {
		return []string{"web.example."}, nil
	}
	return nil, missing(a)
}

func TestNamesAreTheHosts(t *testing.T) {
	g := connected(t, vnet.Options{Resolve: answers{}})
	for _, q := range []struct {
		name  string
		of    uint16
		rcode int
		want  []string
	}{
		{"web.example.", dns.TypeA, dns.RcodeSuccess, []string{"192.0.2.80"}},
		{"web.example.", dns.TypeAAAA, dns.RcodeSuccess, nil}, // it exists, with the other family only
		{"web.example.", dns.TypeTXT, dns.RcodeSuccess, nil},
		{"intranet.", dns.TypeA, dns.RcodeSuccess, []string{"192.0.2.80"}}, // by the host's search list
		{"none.example.", dns.TypeA, dns.RcodeNameError, nil},
		{"broken.example.", dns.TypeA, dns.RcodeServerFailure, nil},
		{"HOST.docker.internal.", dns.TypeA, dns.RcodeSuccess, []string{agentapi.NetworkHost4}},
		{"host.berth.internal.", dns.TypeA, dns.RcodeSuccess, []string{agentapi.NetworkHost4}},
		{"host.docker.internal.", dns.TypeAAAA, dns.RcodeSuccess, nil},
		{"80.2.0.192.in-addr.arpa.", dns.TypePTR, dns.RcodeSuccess, []string{"web.example."}},
		{"0.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.", dns.TypePTR, dns.RcodeSuccess, []string{"web.example."}},
		{"x.in-addr.arpa.", dns.TypePTR, dns.RcodeNameError, nil},
	} {
		c := &dns.Conn{Conn: g.udp(agentapi.NetworkGateway4, 53)}
		if err := c.WriteMsg(new(dns.Msg).SetQuestion(q.name, q.of)); err != nil {
			t.Fatal(err)
		}
		m, err := c.ReadMsg()
		if err != nil {
			t.Fatalf("%s: %v", q.name, err)
		}
		var got []string
		for _, r := range m.Answer {
			switch r := r.(type) {
			case *dns.A:
				got = append(got, r.A.String())
			case *dns.PTR:
				got = append(got, r.Ptr)
			}
		}
		if m.Rcode != q.rcode || !slices.Equal(got, q.want) {
			t.Errorf("%s %s: %s %v", q.name, dns.TypeToString[q.of], dns.RcodeToString[m.Rcode], got)
		}
	}
	conn, err := g.tcp(agentapi.NetworkGateway6, 53)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &dns.Conn{Conn: conn}
	_ = c.WriteMsg(new(dns.Msg).SetQuestion("text.example.", dns.TypeTXT))
	m, err := c.ReadMsg()
	if err != nil || len(m.Answer) != 1 || len(m.Answer[0].(*dns.TXT).Txt) != 3 {
		t.Errorf("%v, %v", m, err)
	}
}
