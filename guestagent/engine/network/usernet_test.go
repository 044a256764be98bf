//go:build linux

package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
	apinet "github.com/moby/moby/api/types/network"

	"github.com/berthhq/berth/guestagent/engine/network/netns"
	"github.com/berthhq/berth/internal/errdefs"
)

func (w *world) create(req apinet.CreateRequest) string {
	w.t.Helper()
	resp, err := w.NetworkCreate(context.Background(), &req)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.ID
}

// lookup asks the embedded name server of a namespace.
func (w *world) lookup(ns, name string, qtype uint16) (answers []string, rcode int) {
	w.t.Helper()
	answers, rcode, err := tryLookup(ns, name, qtype)
	if err != nil {
		w.t.Error(err)
	}
	return answers, rcode
}

func (w *world) resolves(ns, name, want string) bool {
	got, _, err := tryLookup(ns, name, mdns.TypeA)
	return err == nil && strings.Join(got, " ") == want
}

func tryLookup(ns, name string, qtype uint16) (answers []string, rcode int, err error) {
	rcode = -1
	err = netns.Do(ns, func() error {
		conn, err := net.DialTimeout("udp", "127.0.0.11:53", time.Second)
		if err != nil {
			return err
		}
		defer conn.Close()
		c := mdns.Client{Timeout: 2 * time.Second}
		q := new(mdns.Msg)
		q.SetQuestion(mdns.Fqdn(name), qtype)
		reply, _, err := c.ExchangeWithConn(q, &mdns.Conn{Conn: conn})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		rcode = reply.Rcode
		for _, rr := range reply.Answer {
			answers = append(answers, strings.TrimPrefix(rr.String(), rr.Header().String()))
		}
		slices.Sort(answers)
		return nil
	})
	return answers, rcode, err
}

func (w *world) expectName(ns, name, want string) {
	w.t.Helper()
	if got, rcode := w.lookup(ns, name, mdns.TypeA); strings.Join(got, " ") != want {
		w.t.Errorf("%s is %v (rcode %d), want %q", name, got, rcode, want)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestUserNetworksNamesAndIsolation(t *testing.T) {
	w := newWorld(t, Config{})
	back := w.create(apinet.CreateRequest{Name: "backend", IPAM: &apinet.IPAM{Config: []apinet.IPAMConfig{{Subnet: netip.MustParsePrefix("10.50.0.0/24")}}}})
	w.create(apinet.CreateRequest{Name: "front"})
	ep := func(name string, es apinet.EndpointSettings) map[string]*apinet.EndpointSettings {
		return map[string]*apinet.EndpointSettings{name: &es}
	}
	db := w.attach(SandboxConfig{ContainerID: "dbdbdbdbdbdbdbdb", Name: "db", Mode: "backend", Endpoints: ep("backend", apinet.EndpointSettings{
		Aliases: []string{"database"}, IPAMConfig: &apinet.EndpointIPAMConfig{IPv4Address: netip.MustParseAddr("10.50.0.77")}})})
	app := w.attach(SandboxConfig{ContainerID: "aaaaaaaaaaaaaaaa", Name: "app", Mode: back[:12],
		Links: []Link{{ContainerID: "dbdbdbdbdbdbdbdb", Name: "db", Alias: "store"}}})
	web := w.attach(SandboxConfig{ContainerID: "eeeeeeeeeeeeeeee", Name: "web", Mode: "front", PortBindings: bindings("|8088=80/tcp")})
	w.serveTCP(db.Key, ":5432", "db")
	w.serveTCP(web.Key, ":80", "web")

	for _, name := range []string{"db", "DB", "database", "dbdbdbdbdbdb", "db.backend", "store"} {
		w.expectName(app.Key, name, "10.50.0.77")
	}
	if got, _ := w.lookup(app.Key, "77.0.50.10.in-addr.arpa", mdns.TypePTR); len(got) != 1 || got[0] != "db.backend." {
		t.Errorf("PTR is %v", got)
	}
	if got, rcode := w.lookup(app.Key, "db", mdns.TypeAAAA); len(got) != 0 || rcode != mdns.RcodeSuccess {
		t.Errorf("AAAA of a container with IPv4 only: %v, %d", got, rcode)
	}
	for _, name := range []string{"web", "store"} {
		if got, _ := w.lookup(db.Key, name, mdns.TypeA); len(got) != 0 {
			t.Errorf("db sees %s: %v", name, got)
		}
	}
	w.expect("on one network", app.Key, "10.50.0.77:5432", "db 10.50.0.2")
	w.refuse("another network's container", web.Key, "10.50.0.77:5432")
	webAddr := web.Endpoints["front"].IPAddress
	w.refuse("the other way", app.Key, fmt.Sprintf("%s:80", webAddr))
	w.expect("a published port of another network", app.Key, hostAddr+":8088", "web "+gatewayOf(web, "front"))

	if got := read(t, w.layout.ResolvConf("aaaaaaaaaaaaaaaa")); !strings.Contains(got, "nameserver 127.0.0.11\n") || !strings.Contains(got, "options ndots:0\n") {
		t.Errorf("resolv.conf:\n%s", got)
	}
	w.connectAndBack(app, web)
}

func gatewayOf(sb *Sandbox, name string) string { return sb.Endpoints[name].Gateway.String() }

// connectAndBack takes app onto web's network and off again while it runs.
func (w *world) connectAndBack(app, web *Sandbox) {
	w.t.Helper()
	ctx := context.Background()
	cfg := w.record("aaaaaaaaaaaaaaaa").Config
	if err := w.Connect(ctx, "aaaaaaaaaaaaaaaa", "front", &apinet.EndpointSettings{Aliases: []string{"visitor"}}, cfg); err != nil {
		w.t.Fatal(err)
	}
	webAddr := web.Endpoints["front"].IPAddress.String()
	now, _ := w.Sandbox("aaaaaaaaaaaaaaaa")
	mine := now.Endpoints["front"].IPAddress.String()
	w.expectName(app.Key, "web", webAddr)
	w.expectName(web.Key, "visitor", mine)
	w.expect("after connecting", app.Key, webAddr+":80", "web "+mine)
	if got := read(w.t.(*testing.T), w.layout.Hosts("aaaaaaaaaaaaaaaa")); !strings.Contains(got, mine+"\tapp\n") {
		w.t.Errorf("hosts:\n%s", got)
	}
	for _, other := range []string{"bridge", "none"} {
		if err := w.Connect(ctx, "aaaaaaaaaaaaaaaa", other, &apinet.EndpointSettings{Aliases: []string{"visitor"}}, cfg); err == nil || !strings.HasPrefix(err.Error(), "network-scoped alias is supported only") {
			w.t.Errorf("an alias on %s: %v", other, err)
		}
	}
	if err := w.Connect(ctx, "aaaaaaaaaaaaaaaa", "front", nil, cfg); err == nil || err.Error() != "endpoint with name app already exists in network front" {
		w.t.Errorf("connecting twice: %v", err)
	}
	if err := w.Rename(ctx, "eeeeeeeeeeeeeeee", "shop"); err != nil {
		w.t.Fatal(err)
	}
	w.expectName(app.Key, "shop", webAddr)
	if got, _ := w.lookup(app.Key, "web.front", mdns.TypeA); len(got) > 0 && w.record("eeeeeeeeeeeeeeee").Config.Hostname != "web" {
		w.t.Errorf("the old name is %v", got)
	}
	for range 2 { // the way out is the network that remains
		w.refuseDisconnectOfOthers(ctx)
	}
	if err := w.Disconnect(ctx, "aaaaaaaaaaaaaaaa", "backend", false); err != nil {
		w.t.Fatal(err)
	}
	w.expect("by the network that remains", app.Key, webAddr+":80", "web "+mine)
	w.serveTCP(w.neighbour, ":98", "neighbour")
	w.expect("outside, by the network that remains", app.Key, neighbourAddr+":98", "neighbour "+hostAddr)
	if got, _ := w.lookup(app.Key, "db", mdns.TypeA); len(got) != 0 {
		w.t.Errorf("after disconnecting db is %v", got)
	}
}

func (w *world) refuseDisconnectOfOthers(ctx context.Context) {
	w.t.Helper()
	err := w.Disconnect(ctx, "aaaaaaaaaaaaaaaa", "bridge", false)
	if errdefs.KindOf(err) != errdefs.KindUnknown || !strings.Contains(err.Error(), "is not connected to network bridge") {
		w.t.Errorf("disconnecting from a network it is not on: %v", err)
	}
}

func TestInternalNetwork(t *testing.T) {
	w := newWorld(t, Config{})
	w.create(apinet.CreateRequest{Name: "vault", Internal: true})
	a := w.attach(SandboxConfig{ContainerID: "aaaa", Name: "a", Mode: "vault", PortBindings: bindings("|8077=80/tcp")})
	b := w.attach(SandboxConfig{ContainerID: "bbbb", Name: "b", Mode: "vault"})
	web := w.attach(SandboxConfig{ContainerID: "cccc", Name: "web", PortBindings: bindings("|8078=80/tcp")})
	w.serveTCP(a.Key, ":80", "a")
	w.serveTCP(web.Key, ":80", "web")
	w.serveTCP(w.neighbour, ":97", "neighbour")
	addr := a.Endpoints["vault"].IPAddress.String()
	w.expect("inside", b.Key, addr+":80", "a "+b.Endpoints["vault"].IPAddress.String())
	w.refuse("outside", b.Key, neighbourAddr+":97")
	w.in(b.Key, func() error { w.ip("route", "add", "default", "via", w.gatewayIP("vault")); return nil })
	w.refuse("outside, by a route of its own making", b.Key, neighbourAddr+":97")
	w.refuse("another network's container", b.Key, web.Endpoints["bridge"].IPAddress.String()+":80")
	if len(a.Ports[apinet.MustParsePort("80/tcp")]) != 0 {
		t.Errorf("an internal network published %v", a.Ports)
	}
	w.expectName(b.Key, "a", addr)
	if got, rcode := w.lookup(b.Key, "example.com", mdns.TypeA); len(got) > 0 || rcode != mdns.RcodeNameError {
		t.Errorf("a name outside: %v, %d", got, rcode)
	}
}

func (w *world) gatewayIP(name string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.find(name)
	if err != nil {
		w.t.Fatal(err)
	}
	return n.gateway(false).String()
}

func TestICCOff(t *testing.T) {
	w := newWorld(t, Config{NoICC: true})
	a := w.attach(SandboxConfig{ContainerID: "aaaa", Name: "a", PortBindings: bindings("|8076=80/tcp")})
	b := w.attach(SandboxConfig{ContainerID: "bbbb", Name: "b"})
	w.serveTCP(a.Key, ":80", "a")
	w.serveTCP(w.neighbour, ":96", "neighbour")
	w.refuse("a neighbour on the bridge", b.Key, a.Endpoints["bridge"].IPAddress.String()+":80")
	w.expect("outside", b.Key, neighbourAddr+":96", "neighbour "+hostAddr)
	w.expect("the host", "", "127.0.0.1:8076", "a 172.17.0.1")
}

func TestIPv6Network(t *testing.T) {
	w := newWorld(t, Config{})
	six := true
	w.create(apinet.CreateRequest{Name: "six", EnableIPv6: &six, IPAM: &apinet.IPAM{Config: []apinet.IPAMConfig{{Subnet: netip.MustParsePrefix("fd42::/64")}}}})
	a := w.attach(SandboxConfig{ContainerID: "aaaa", Name: "a", Mode: "six", PortBindings: bindings("|8075=80/tcp", "::|8074=80/tcp")})
	b := w.attach(SandboxConfig{ContainerID: "bbbb", Name: "b", Mode: "six"})
	w.serveTCP(a.Key, ":80", "a")
	es := a.Endpoints["six"]
	if es.GlobalIPv6Address.String() != "fd42::2" || es.IPv6Gateway.String() != "fd42::1" || !es.IPAddress.IsValid() {
		t.Fatalf("endpoint is %+v", es)
	}
	w.expect("inside", b.Key, "[fd42::2]:80", "a fd42::3")
	w.expect("[::1]", "", "[::1]:8075", "a fd42::1")
	w.expect("the gateway's address", "", "[fd42::1]:8074", "a fd42::1")
	w.expect("hairpin", b.Key, "[fd42::1]:8075", "a fd42::1")
	if got, _ := w.lookup(b.Key, "a", mdns.TypeAAAA); len(got) != 1 || got[0] != "fd42::2" {
		t.Errorf("AAAA is %v", got)
	}
}

func TestNoneAndHost(t *testing.T) {
	hosts := t.TempDir() + "/hosts"
	if err := os.WriteFile(hosts, []byte("127.0.0.1 localhost\n192.0.2.9 printer"), 0o644); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, Config{HostHostsFile: hosts})
	none := w.attach(SandboxConfig{ContainerID: "aaaa", Name: "a", Mode: "none"})
	w.in(none.Key, func() error {
		ifs, err := net.Interfaces()
		for _, i := range ifs {
			if i.Flags&net.FlagUp != 0 && i.Name != "lo" {
				err = errors.Join(err, errors.New("interface "+i.Name))
			}
		}
		_, lerr := net.Listen("tcp", "127.0.0.1:0")
		return errors.Join(err, lerr)
	})
	host := w.attach(SandboxConfig{ContainerID: "bbbb", Name: "b", Mode: "host", ExtraHosts: []string{"x:host-gateway", "y:192.0.2.1"}})
	if host.Key != "" || host.Endpoints["host"] == nil || netns.Exists(w.layout.NetNS()+"/bbbb") {
		t.Errorf("host mode has a namespace: %+v", host)
	}
	if got, want := read(t, w.layout.Hosts("bbbb")), "127.0.0.1 localhost\n192.0.2.9 printer\n127.0.0.1\tx\n192.0.2.1\ty\n"; got != want {
		t.Errorf("hosts:\n%s", got)
	}
	for _, id := range []string{"aaaa", "bbbb"} {
		if err := w.Detach(context.Background(), id); err != nil {
			t.Error(err)
		}
	}
}
