//go:build linux

package network

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
	apinet "github.com/moby/moby/api/types/network"

	"github.com/berthhq/berth/guestagent/engine/network/netns"
)

// attach gives a container a network or fails the test.
func (w *world) attach(cfg SandboxConfig) *Sandbox {
	w.t.Helper()
	if cfg.Hostname == "" {
		cfg.Hostname = cfg.Name
	}
	sb, err := w.Attach(context.Background(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return sb
}

// serveTCP answers every connection in ns at addr with a line: name, and the client's address as it is seen there.
func (w *world) serveTCP(ns, addr, name string) (stop func()) {
	w.t.Helper()
	var l net.Listener
	w.in(ns, func() (err error) { l, err = net.Listen("tcp", addr); return err })
	if l == nil {
		w.t.FailNow()
	}
	w.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(c, "%s %s\n", name, netip.MustParseAddrPort(c.RemoteAddr().String()).Addr().Unmap())
			c.Close()
		}
	}()
	return func() { l.Close() }
}

// patience is how long what must be reached may take: a lost neighbour solicitation is sent again after a second.
const patience = 5 * time.Second

// ask connects from ns ("" is the host) and returns the line that comes back.
func (w *world) ask(ns, addr string, within time.Duration) (line string, err error) {
	ask := func() error {
		c, err := net.DialTimeout("tcp", addr, within)
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(within))
		line, err = bufio.NewReader(c).ReadString('\n')
		return err
	}
	if ns == "" {
		err = ask()
	} else {
		err = netns.Do(ns, ask)
	}
	return strings.TrimSpace(line), err
}

func (w *world) expect(what, ns, addr, want string) {
	w.t.Helper()
	if got, err := w.ask(ns, addr, patience); err != nil || got != want {
		w.t.Errorf("%s: %q, %v; want %q", what, got, err, want)
	}
}

func (w *world) refuse(what, ns, addr string) {
	w.t.Helper()
	if got, err := w.ask(ns, addr, 700*time.Millisecond); err == nil {
		w.t.Errorf("%s: reached %q", what, got)
	}
}

func bindings(s ...string) apinet.PortMap {
	out := apinet.PortMap{}
	for _, b := range s {
		left, port, _ := strings.Cut(b, "=")
		ip, host, _ := strings.Cut(left, "|")
		binding := apinet.PortBinding{HostPort: host}
		if ip != "" {
			binding.HostIP = netip.MustParseAddr(ip)
		}
		p := apinet.MustParsePort(port)
		out[p] = append(out[p], binding)
	}
	return out
}

func TestDefaultBridge(t *testing.T) {
	w := newWorld(t, Config{})
	web := w.attach(SandboxConfig{ContainerID: "aaaa", Name: "web", Mode: "default", PortBindings: bindings("|8080=80/tcp")})
	es := web.Endpoints["bridge"]
	if es == nil || es.IPAddress.String() != "172.17.0.2" || es.IPPrefixLen != 16 || es.Gateway.String() != "172.17.0.1" || es.MacAddress.String() != "02:42:ac:11:00:02" {
		t.Fatalf("endpoint is %+v", es)
	}
	if got := fmt.Sprint(web.Ports); got != "map[80/tcp:[{0.0.0.0 8080} {:: 8080}]]" {
		t.Errorf("ports are %s", got)
	}
	client := w.attach(SandboxConfig{ContainerID: "bbbb", Name: "client"})
	stop := w.serveTCP(web.Key, ":80", "web")
	w.serveTCP(w.neighbour, ":99", "neighbour")

	w.expect("the container's address", "", "172.17.0.2:80", "web 172.17.0.1")
	w.expect("loopback", "", "127.0.0.1:8080", "web 172.17.0.1")
	w.expect("IPv6 loopback", "", "[::1]:8080", "web 172.17.0.1")
	w.expect("another address of the host", "", hostAddr+":8080", "web "+hostAddr)
	w.expect("the gateway's address", "", "172.17.0.1:8080", "web 172.17.0.1")
	w.expect("a neighbour keeps its address", w.neighbour, hostAddr+":8080", "web "+neighbourAddr)
	w.expect("container to container", client.Key, "172.17.0.2:80", "web 172.17.0.3")
	w.expect("hairpin from another container", client.Key, hostAddr+":8080", "web 172.17.0.1")
	w.expect("hairpin to itself", web.Key, hostAddr+":8080", "web 172.17.0.1")
	w.expect("outside is masqueraded", client.Key, neighbourAddr+":99", "neighbour "+hostAddr)

	stop() // its last process ends
	if err := w.Detach(context.Background(), "aaaa"); err != nil {
		t.Fatal(err)
	}
	w.refuse("a detached container's port", "", "127.0.0.1:8080")
	again := w.attach(SandboxConfig{ContainerID: "cccc", Name: "web", PortBindings: bindings("|8080=80/tcp")})
	if a := again.Endpoints["bridge"].IPAddress.String(); a != "172.17.0.2" {
		t.Errorf("the address was not free again: %s", a)
	}
	w.serveTCP(again.Key, ":80", "new")
	w.expect("the next container under the same address", client.Key, "172.17.0.2:80", "new 172.17.0.3")
	w.expect("the next container at the same port", "", "127.0.0.1:8080", "new 172.17.0.1")
}

func TestNeighboursWithForgedRoutes(t *testing.T) {
	w := newWorld(t, Config{})
	web := w.attach(SandboxConfig{ContainerID: "aaaa", Name: "web", PortBindings: bindings("127.0.0.1|8081=81/tcp")})
	w.serveTCP(web.Key, ":80", "unpublished")
	w.serveTCP(web.Key, ":81", "private")
	w.serveTCP("/proc/self/ns/net", "127.0.0.1:82", "host")
	w.expect("from the host", "", "127.0.0.1:8081", "private 172.17.0.1")
	w.forge(w.neighbour, "up1", hostAddr, neighbourAddr)
	w.in(w.neighbour, func() error { w.ip("route", "add", "172.17.0.0/16", "via", hostAddr); return nil })
	evil := w.attach(SandboxConfig{ContainerID: "eeee", Name: "evil"})
	w.forge(evil.Key, "eth0", "172.17.0.1", "172.17.0.3")
	w.refuse("an unpublished port", w.neighbour, "172.17.0.2:80")
	w.refuse("a container's port behind 127.0.0.1", w.neighbour, "172.17.0.2:81")
	w.refuse("a port published on 127.0.0.1", w.neighbour, "127.0.0.1:8081")
	w.refuse("a port published on 127.0.0.1, at the host's address", w.neighbour, hostAddr+":8081")
	w.refuse("the host's own loopback", w.neighbour, "127.0.0.1:82")
	w.refuse("the host's own loopback, from a container", evil.Key, "127.0.0.1:82")
	w.refuse("a port published on 127.0.0.1, from a container", evil.Key, "127.0.0.1:8081")
}

// forge makes a namespace send what is for 127.0.0.1 to a gateway.
func (w *world) forge(ns, dev, gateway, src string) {
	w.t.Helper()
	w.in(ns, func() error {
		for _, f := range []string{"all", dev} {
			if err := os.WriteFile("/proc/sys/net/ipv4/conf/"+f+"/route_localnet", []byte("1"), 0o644); err != nil {
				return err
			}
		}
		w.ip("addr", "del", "127.0.0.1/8", "dev", "lo")
		w.ip("route", "add", "127.0.0.1/32", "via", gateway, "dev", dev, "src", src)
		return nil
	})
}

func TestPortConflicts(t *testing.T) {
	w := newWorld(t, Config{})
	w.attach(SandboxConfig{ContainerID: "aaaa", Name: "web", PortBindings: bindings("|8080=80/tcp")})
	l, err := net.Listen("tcp4", "0.0.0.0:9090")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for port, holder := range map[string]string{"8080": "container web", "9090": fmt.Sprintf("(pid %d)", os.Getpid())} {
		_, err := w.Attach(context.Background(), SandboxConfig{ContainerID: "bbbb", Name: "second", PortBindings: bindings("|" + port + "=80/tcp")})
		if err == nil || !strings.HasPrefix(err.Error(), "driver failed programming external connectivity on endpoint second (") ||
			!strings.Contains(err.Error(), "Bind for 0.0.0.0:"+port+" failed: port is already allocated") || !strings.Contains(err.Error(), holder) {
			t.Errorf("got %v", err)
		}
		if _, err := w.Sandbox("bbbb"); err == nil || netns.Exists(w.layout.NetNS()+"/bbbb") {
			t.Error("a failed attach left something")
		}
	}
	sb := w.attach(SandboxConfig{ContainerID: "cccc", Name: "ranged", PortBindings: bindings("|8080-8085=80/tcp", "|=81/tcp", "127.0.0.1|=82/udp")})
	if got := sb.Ports[apinet.MustParsePort("80/tcp")][0].HostPort; got != "8081" {
		t.Errorf("the range gave port %s", got)
	}
	for _, p := range []string{"81/tcp", "82/udp"} {
		b := sb.Ports[apinet.MustParsePort(p)]
		if len(b) == 0 || b[0].HostPort == "" || b[0].HostPort == "0" || b[len(b)-1].HostPort != b[0].HostPort {
			t.Errorf("a random port is %v", b)
		}
	}
	if _, err := net.Listen("tcp4", "0.0.0.0:8081"); err == nil {
		t.Error("another program could take a published port")
	}
	if sb.Endpoints["bridge"].IPAddress.String() != "172.17.0.3" {
		t.Errorf("failed attaches kept addresses: %s", sb.Endpoints["bridge"].IPAddress)
	}
}

func TestUDP(t *testing.T) {
	w := newWorld(t, Config{})
	sb := w.attach(SandboxConfig{ContainerID: "aaaa", Name: "a", PortBindings: bindings("|5353=53/udp")})
	w.nameServer(sb.Key, "0.0.0.0:53", "203.0.113.9")
	for ns, addrs := range map[string][]string{"/proc/self/ns/net": {"127.0.0.1", "[::1]", hostAddr}, w.neighbour: {hostAddr}} {
		for _, addr := range addrs {
			w.in(ns, func() error {
				conn, err := net.Dial("udp", addr+":5353")
				if err != nil {
					return err
				}
				defer conn.Close()
				q := new(mdns.Msg)
				q.SetQuestion("x.", mdns.TypeA)
				reply, _, err := (&mdns.Client{Timeout: time.Second}).ExchangeWithConn(q, &mdns.Conn{Conn: conn})
				if err == nil && len(reply.Answer) != 1 {
					t.Errorf("%s: %v", addr, reply)
				}
				return err
			})
		}
	}
}

func TestSomebodyElsesBridge(t *testing.T) {
	outer := newWorld(t, Config{})
	outer.ip("link", "add", "corp0", "type", "bridge")
	outer.ip("addr", "add", "10.123.0.1/24", "dev", "corp0")
	w := newWorld2(outer, Config{Bridge: "corp0"})
	sb := w.attach(SandboxConfig{ContainerID: "aaaa", Name: "a", PortBindings: bindings("|8050=80/tcp")})
	if es := sb.Endpoints["bridge"]; es.IPAddress.String() != "10.123.0.2" || es.Gateway.String() != "10.123.0.1" {
		t.Errorf("endpoint is %+v", es)
	}
	w.serveTCP(sb.Key, ":80", "a")
	w.expect("published", "", "127.0.0.1:8050", "a 10.123.0.1")
	both := outer.attach(SandboxConfig{ContainerID: "aaaa", Name: "a", PortBindings: bindings("|8051=80/tcp")})
	outer.serveTCP(both.Key, ":80", "outer")
	outer.expect("another engine beside it", "", "127.0.0.1:8051", "outer "+gatewayOf(both, "bridge"))
}
