//go:build linux

package netd

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/berthhq/berth/guestagent/engine/network/netdproto"
	"github.com/berthhq/berth/guestagent/engine/network/netns"
)

// namespace makes an empty one with loopback.
func namespace(t *testing.T) string {
	t.Helper()
	host, err := netns.Host()
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	path := filepath.Join(t.TempDir(), "ns")
	err = netns.Create(path, func() error {
		n, err := netns.Current(host)
		if err != nil {
			return err
		}
		defer n.Close()
		return n.LoopbackUp()
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := netns.Delete(path); err != nil {
			t.Error(err)
		}
	})
	return path
}

// dial opens a connection to the resolver of a namespace.
func dial(t *testing.T, ns, network string) (conn net.Conn) {
	t.Helper()
	err := netns.Do(ns, func() (err error) {
		conn, err = net.DialTimeout(network, resolverAddr+":53", time.Second)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	return conn
}

func query(t *testing.T, conn net.Conn, name string) string {
	t.Helper()
	q := new(mdns.Msg).SetQuestion(mdns.Fqdn(name), mdns.TypeA)
	c := &mdns.Conn{Conn: conn}
	if err := c.WriteMsg(q); err != nil {
		t.Fatal(err)
	}
	reply, err := c.ReadMsg()
	if err != nil {
		return err.Error()
	}
	if reply.Id != q.Id {
		t.Errorf("%s: answer to another question", name)
	}
	out := mdns.RcodeToString[reply.Rcode]
	for _, rr := range reply.Answer {
		out += " " + rr.(*mdns.A).A.String()
	}
	return out
}

func two(t *testing.T) (a, b netdproto.Sandbox) {
	a = netdproto.Sandbox{ID: "a", NetNS: namespace(t), Isolated: true, Endpoints: []netdproto.Endpoint{
		{Network: "n", Domain: "lan", Names: []string{"web"}, IPv4: netip.MustParseAddr("10.0.0.2"), Links: map[string]string{"store": "b"}}}}
	b = netdproto.Sandbox{ID: "b", NetNS: namespace(t), Isolated: true, Endpoints: []netdproto.Endpoint{
		{Network: "n", Domain: "lan", Names: []string{"db"}, IPv4: netip.MustParseAddr("10.0.0.3")}}}
	return a, b
}

func put(t *testing.T, r *running, boxes ...netdproto.Sandbox) {
	t.Helper()
	for _, s := range boxes {
		if _, err := r.Put(context.Background(), s); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNamesByUDPAndTCP(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	a, b := two(t)
	put(t, r, a, b)
	for _, network := range []string{"udp", "tcp"} {
		conn := dial(t, a.NetNS, network)
		for name, want := range map[string]string{"db": "NOERROR 10.0.0.3", "store": "NOERROR 10.0.0.3", "WEB.lan": "NOERROR 10.0.0.2", "else": "NXDOMAIN"} {
			if got := query(t, conn, name); got != want { // several on one connection
				t.Errorf("%s, %s: %s, want %s", network, name, got, want)
			}
		}
		if got := query(t, dial(t, b.NetNS, network), "store"); got != "NXDOMAIN" {
			t.Errorf("another's link, by %s: %s", network, got)
		}
	}
	if err := r.Drop(context.Background(), "b"); err != nil {
		t.Fatal(err)
	}
	if got := query(t, dial(t, a.NetNS, "udp"), "db"); got != "NXDOMAIN" {
		t.Errorf("a dropped container: %s", got)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = start(t, dir) // its successor answers in the same namespace, at the same address
	if got := query(t, dial(t, a.NetNS, "udp"), "web"); got != "NOERROR 10.0.0.2" {
		t.Errorf("after a restart: %s", got)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

func TestRubbishDoesNotStopTheAnswers(t *testing.T) {
	r := start(t, t.TempDir())
	defer r.stop()
	a, _ := two(t)
	put(t, r, a)
	udp := dial(t, a.NetNS, "udp")
	for _, junk := range []string{"", "x", strings.Repeat("\xff", 4000), "GET / HTTP/1.0\r\n\r\n"} {
		if _, err := udp.Write([]byte(junk)); err != nil {
			t.Fatal(err)
		}
	}
	if got := query(t, udp, "web"); got != "NOERROR 10.0.0.2" {
		t.Errorf("after rubbish by UDP: %s", got)
	}
	for _, junk := range [][]byte{{0}, {0, 0}, {0xff, 0xff, 1, 2, 3}, binary.BigEndian.AppendUint16(nil, 4)} {
		tcp := dial(t, a.NetNS, "tcp")
		if _, err := tcp.Write(junk); err != nil {
			t.Fatal(err)
		}
		_ = tcp.(*net.TCPConn).CloseWrite()
		if out, err := io.ReadAll(tcp); err != nil || len(out) > 0 {
			t.Errorf("%x was answered with %x, %v", junk, out, err)
		}
	}
	if got := query(t, dial(t, a.NetNS, "tcp"), "web"); got != "NOERROR 10.0.0.2" {
		t.Errorf("after rubbish by TCP: %s", got)
	}
}

func TestManyAskAtOnce(t *testing.T) {
	r := start(t, t.TempDir())
	defer r.stop()
	a, _ := two(t)
	put(t, r, a)
	failed := make(chan string, 64)
	for range 64 {
		conn := dial(t, a.NetNS, "udp")
		go func() {
			q := new(mdns.Msg).SetQuestion("web.", mdns.TypeA)
			reply, _, err := (&mdns.Client{Timeout: 3 * time.Second}).ExchangeWithConn(q, &mdns.Conn{Conn: conn})
			if err != nil || len(reply.Answer) != 1 {
				failed <- fmt.Sprint(reply, err)
				return
			}
			failed <- ""
		}()
	}
	for range 64 {
		if f := <-failed; f != "" {
			t.Error(f)
		}
	}
}

func TestNamespaceThatIsGoneIsRefused(t *testing.T) {
	r := start(t, t.TempDir())
	defer r.stop()
	a, _ := two(t)
	a.NetNS = filepath.Join(t.TempDir(), "gone")
	a.Ports = []netdproto.Port{tcpPort(echo(t), "127.0.0.1")}
	if _, err := r.Put(context.Background(), a); err == nil {
		t.Error("names are answered nowhere")
	}
	if list, _ := r.List(context.Background()); len(list) != 0 {
		t.Errorf("kept %+v", list)
	}
}

// upstreamServer answers with a response code and counts.
func upstreamServer(t *testing.T, addr string, rcode int) {
	t.Helper()
	pc, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	srv := &mdns.Server{PacketConn: pc, Handler: mdns.HandlerFunc(func(w mdns.ResponseWriter, q *mdns.Msg) {
		reply := new(mdns.Msg).SetRcode(q, rcode)
		if rcode == mdns.RcodeSuccess {
			reply.Answer = []mdns.RR{&mdns.A{Hdr: mdns.RR_Header{Name: q.Question[0].Name, Rrtype: mdns.TypeA, Class: mdns.ClassINET}, A: net.ParseIP("203.0.113.5")}}
		}
		_ = w.WriteMsg(reply)
	})}
	go func() { _ = srv.ActivateAndServe() }()
	t.Cleanup(func() { _ = srv.Shutdown() })
}

func TestAskGoesOnToTheNextServer(t *testing.T) {
	upstreamServer(t, "127.0.1.1:53", mdns.RcodeServerFailure)
	upstreamServer(t, "127.0.1.2:53", mdns.RcodeRefused)
	upstreamServer(t, "127.0.1.3:53", mdns.RcodeSuccess)
	upstreamServer(t, "127.0.1.4:53", mdns.RcodeNameError)
	for servers, want := range map[string]string{
		"1 2 3": "NOERROR", "3 1": "NOERROR", "4 3": "NXDOMAIN", "1 2": "REFUSED", "9 3": "NOERROR", "9": "nothing", "": "nothing",
	} {
		var list []upstream
		for _, s := range strings.Fields(servers) {
			list = append(list, upstream{addr: netip.MustParseAddrPort("127.0.1." + s + ":53")})
		}
		got := "nothing"
		if reply := ask(context.Background(), list, new(mdns.Msg).SetQuestion("x.", mdns.TypeA), false); reply != nil {
			got = mdns.RcodeToString[reply.Rcode]
		}
		if got != want {
			t.Errorf("servers %q: %s, want %s", servers, got, want)
		}
	}
}

func TestUpstreamsAreReachedFromTheRightNamespace(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(conf, []byte("nameserver 127.0.0.53\nnameserver 192.0.2.1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	n := newNames(conf)
	own := []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	for _, c := range []struct {
		rec  netdproto.Sandbox
		want string
	}{
		{netdproto.Sandbox{NetNS: "/ns"}, "127.0.0.53:53@ 192.0.2.1:53@/ns"},
		{netdproto.Sandbox{NetNS: "/ns", Upstreams: own}, "127.0.0.1:53@/ns"},
	} {
		var list []string
		for _, u := range n.upstreams(c.rec) {
			list = append(list, u.addr.String()+"@"+u.netns)
		}
		if got := strings.Join(list, " "); got != c.want {
			t.Errorf("%+v: %s, want %s", c.rec, got, c.want)
		}
	}
}

func TestHostResolversSurviveAMissingFile(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "resolv.conf")
	h := newHostResolvers(conf)
	if got := h.servers(); len(got) != 0 {
		t.Errorf("no file gives %v", got)
	}
	if err := os.WriteFile(conf, []byte("nameserver 192.0.2.1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	h.checked = time.Time{}
	if got := fmt.Sprint(h.servers()); got != "[192.0.2.1]" {
		t.Errorf("got %s", got)
	}
	if err := os.Remove(conf); err != nil {
		t.Fatal(err)
	}
	h.checked = time.Time{}
	if got := fmt.Sprint(h.servers()); got != "[192.0.2.1]" {
		t.Errorf("while the file is being replaced: %s", got)
	}
}

func TestStateIsWrittenWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	s := newSaver(path)
	for i := range 100 {
		s.save([]netdproto.Sandbox{{ID: fmt.Sprint(i)}})
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	got, err := (&saver{path: path}).load()
	if err != nil || len(got) != 1 || got[0].ID != "99" {
		t.Errorf("%v, %v", got, err)
	}
	bad := newSaver(filepath.Join(path, "below-a-file"))
	bad.save(nil)
	if bad.close() == nil {
		t.Error("a failure to save is not told")
	}
	if _, err := parseState([]byte(`{"Version":99}`)); err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("another version: %v", err)
	}
}
