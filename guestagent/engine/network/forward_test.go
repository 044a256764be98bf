//go:build linux

package network

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
	apinet "github.com/moby/moby/api/types/network"
)

// nameServer answers every A question in ns at addr with ip, and tells from where it was asked.
func (w *world) nameServer(ns, addr, ip string) (askedFrom chan string) {
	w.t.Helper()
	askedFrom = make(chan string, 16)
	var pc net.PacketConn
	w.in(ns, func() (err error) { pc, err = net.ListenPacket("udp", addr); return err })
	if pc == nil {
		w.t.FailNow()
	}
	srv := &mdns.Server{PacketConn: pc, Handler: mdns.HandlerFunc(func(rw mdns.ResponseWriter, q *mdns.Msg) {
		select {
		case askedFrom <- netip.MustParseAddrPort(rw.RemoteAddr().String()).Addr().String():
		default:
		}
		reply := new(mdns.Msg).SetReply(q)
		reply.Answer = []mdns.RR{&mdns.A{Hdr: mdns.RR_Header{Name: q.Question[0].Name, Rrtype: mdns.TypeA, Class: mdns.ClassINET}, A: net.ParseIP(ip)}}
		_ = rw.WriteMsg(reply)
	})}
	go func() { _ = srv.ActivateAndServe() }()
	w.t.Cleanup(func() { _ = srv.Shutdown() })
	return askedFrom
}

func (w *world) setResolvConf(content string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.layout.Run, "resolv.conf"), []byte(content), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func TestForwardingFollowsTheHostsResolvers(t *testing.T) {
	w := newWorld(t, Config{})
	w.setResolvConf("nameserver " + neighbourAddr + "\nsearch corp.example\n")
	w.create(apinet.CreateRequest{Name: "lan"})
	near := w.nameServer(w.neighbour, neighbourAddr+":53", "203.0.113.1")
	app := w.attach(SandboxConfig{ContainerID: "aaaa", Name: "app", Mode: "lan"})
	if got := read(t, w.layout.ResolvConf("aaaa")); !strings.Contains(got, "search corp.example\n") {
		t.Errorf("resolv.conf:\n%s", got)
	}
	w.expectName(app.Key, "example.com", "203.0.113.1")
	if from := <-near; from != hostAddr { // from the container's namespace, masqueraded
		t.Errorf("asked from %s", from)
	}

	w.nameServer("/proc/self/ns/net", "127.0.0.1:53", "203.0.113.2")
	w.setResolvConf("nameserver 127.0.0.1\n")
	deadline := time.Now().Add(5 * time.Second)
	for {
		got, _ := w.lookup(app.Key, "example.com", mdns.TypeA)
		if strings.Join(got, "") == "203.0.113.2" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after resolv.conf changed: %v", got)
		}
		time.Sleep(100 * time.Millisecond)
	}

	w.setResolvConf("nameserver 127.0.0.9\nnameserver 127.0.0.1\n") // the first is dead
	time.Sleep(1100 * time.Millisecond)
	w.expectName(app.Key, "example.org", "203.0.113.2")

	own := w.attach(SandboxConfig{ContainerID: "bbbb", Name: "own", Mode: "lan", DNS: []netip.Addr{netip.MustParseAddr(neighbourAddr)}})
	w.expectName(own.Key, "example.com", "203.0.113.1")
	w.expectName(own.Key, "app", app.Endpoints["lan"].IPAddress.String())
}

func TestContainersMayServePort53Themselves(t *testing.T) {
	w := newWorld(t, Config{})
	w.create(apinet.CreateRequest{Name: "lan"})
	dnsmasq := w.attach(SandboxConfig{ContainerID: "aaaa", Name: "dnsmasq", Mode: "lan"})
	client := w.attach(SandboxConfig{ContainerID: "bbbb", Name: "client", Mode: "lan"})
	w.nameServer(dnsmasq.Key, "0.0.0.0:53", "203.0.113.3")
	w.expectName(dnsmasq.Key, "client", client.Endpoints["lan"].IPAddress.String())
	w.in(client.Key, func() error {
		q := new(mdns.Msg)
		q.SetQuestion("x.", mdns.TypeA)
		conn, err := net.Dial("udp", dnsmasq.Endpoints["lan"].IPAddress.String()+":53")
		if err != nil {
			return err
		}
		defer conn.Close()
		reply, _, err := (&mdns.Client{Timeout: time.Second}).ExchangeWithConn(q, &mdns.Conn{Conn: conn})
		if err == nil && len(reply.Answer) != 1 {
			t.Errorf("got %v", reply)
		}
		return err
	})
}
