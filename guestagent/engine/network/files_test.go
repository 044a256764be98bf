//go:build linux

package network

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apinet "github.com/moby/moby/api/types/network"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
)

// bare is a manager that touches nothing of the kernel: for what is decided in memory.
func bare(t *testing.T, cfg Config) *Manager {
	t.Helper()
	dir := t.TempDir()
	if cfg.HostResolv == "" {
		cfg.HostResolv = filepath.Join(dir, "resolv.conf")
	}
	m := &Manager{layout: paths.For(dir), cfg: cfg, networks: map[string]*network{}, sandboxes: map[string]*sandboxRecord{}}
	for _, rec := range []networkRecord{
		{Network: apinet.Network{ID: "default", Name: "bridge", Driver: driverBridge, Options: map[string]string{optDefault: "true"},
			IPAM: apinet.IPAM{Config: []apinet.IPAMConfig{{Subnet: netip.MustParsePrefix("172.17.0.0/16"), Gateway: netip.MustParseAddr("172.17.0.1")}}}}},
		{Network: apinet.Network{ID: "lan", Name: "lan", Driver: driverBridge, Options: map[string]string{},
			IPAM: apinet.IPAM{Config: []apinet.IPAMConfig{{Subnet: netip.MustParsePrefix("10.5.0.0/16"), Gateway: netip.MustParseAddr("10.5.0.1")}}}}},
	} {
		n := &network{rec: rec, endpoints: map[string]endpointRecord{}}
		if err := n.buildSubnets(); err != nil {
			t.Fatal(err)
		}
		m.networks[rec.ID] = n
	}
	return m
}

func planned(t *testing.T, m *Manager, cfg SandboxConfig) *sandboxRecord {
	t.Helper()
	cfg.ContainerID = "c1"
	rec, err := m.plan(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func TestResolvConfOfContainers(t *testing.T) {
	const host = "nameserver 127.0.0.1\nnameserver 192.0.2.1\nsearch a.example\noptions edns0\n"
	dns := []netip.Addr{netip.MustParseAddr("192.0.2.9")}
	cases := []struct {
		name, host string
		cfg        SandboxConfig
		engine     Config
		want       string
	}{
		{"the host's without loopback", host, SandboxConfig{}, Config{}, "nameserver 192.0.2.1\nsearch a.example\noptions edns0\n"},
		{"loopback only", "nameserver 127.0.0.1\n", SandboxConfig{}, Config{}, "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"},
		{"none", "", SandboxConfig{}, Config{}, "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"},
		{"asked for", host, SandboxConfig{DNS: dns, DNSSearch: []string{"b.example"}, DNSOptions: []string{"rotate"}}, Config{},
			"nameserver 192.0.2.9\nsearch b.example\noptions rotate\n"},
		{"configured", host, SandboxConfig{}, Config{DNS: dns, DNSSearch: []string{"c.example"}, DNSOptions: []string{"timeout:1"}},
			"nameserver 192.0.2.9\nsearch c.example\noptions timeout:1\n"},
		{"no search", host, SandboxConfig{DNSSearch: []string{"."}}, Config{}, "nameserver 192.0.2.1\noptions edns0\n"},
		{"user network", host, SandboxConfig{Mode: "lan"}, Config{}, "nameserver 127.0.0.11\nsearch a.example\noptions edns0 ndots:0\n"},
		{"user network with ndots", host, SandboxConfig{Mode: "lan", DNSOptions: []string{"ndots:3"}}, Config{}, "nameserver 127.0.0.11\nsearch a.example\noptions ndots:3\n"},
		{"user network with servers", host, SandboxConfig{Mode: "lan", DNS: dns}, Config{}, "nameserver 127.0.0.11\nsearch a.example\noptions edns0 ndots:0\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := bare(t, c.engine)
			if err := os.WriteFile(m.cfg.HostResolv, []byte(c.host), 0o644); err != nil {
				t.Fatal(err)
			}
			got := m.resolvFile(planned(t, m, c.cfg))
			if _, body, _ := strings.Cut(got, "\n"); body != c.want {
				t.Errorf("got\n%swant\n%s", body, c.want)
			}
		})
	}
}

func TestHostsOfContainers(t *testing.T) {
	const head = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"
	for name, c := range map[string]struct {
		cfg    SandboxConfig
		engine Config
		want   string
	}{
		"plain":        {SandboxConfig{Hostname: "web"}, Config{}, "172.17.0.2\tweb\n"},
		"domain":       {SandboxConfig{Hostname: "web", Domainname: "corp.example"}, Config{}, "172.17.0.2\tweb.corp.example web\n"},
		"full name":    {SandboxConfig{Hostname: "web.corp.example"}, Config{}, "172.17.0.2\tweb.corp.example web\n"},
		"extra":        {SandboxConfig{Hostname: "web", ExtraHosts: []string{"db:192.0.2.1", "six:fd00::1", "b:[fd00::2]"}}, Config{}, "192.0.2.1\tdb\nfd00::1\tsix\nfd00::2\tb\n172.17.0.2\tweb\n"},
		"host-gateway": {SandboxConfig{Hostname: "web", Mode: "lan", ExtraHosts: []string{"h:host-gateway"}}, Config{}, "172.17.0.1\th\n10.5.0.2\tweb\n"},
		"configured":   {SandboxConfig{Hostname: "web", ExtraHosts: []string{"h:host-gateway"}}, Config{HostGateways: []netip.Addr{netip.MustParseAddr("192.0.2.7")}}, "192.0.2.7\th\n172.17.0.2\tweb\n"},
		"two networks": {SandboxConfig{Hostname: "web", Mode: "lan", Endpoints: map[string]*apinet.EndpointSettings{"bridge": nil}}, Config{}, "10.5.0.2\tweb\n172.17.0.2\tweb\n"},
	} {
		m := bare(t, c.engine)
		got, err := m.hostsFile(planned(t, m, c.cfg))
		if err != nil || got != head+c.want {
			t.Errorf("%s: %v\n%s", name, err, strings.TrimPrefix(got, head))
		}
	}
}

func TestWhichNetworkLeadsOutside(t *testing.T) {
	ep := func(name string, gw string, prio int) endpointRecord {
		es := &apinet.EndpointSettings{GwPriority: prio}
		if gw != "" {
			es.Gateway = netip.MustParseAddr(gw)
		}
		return endpointRecord{NetworkName: name, Settings: es}
	}
	for name, c := range map[string]struct {
		eps  []endpointRecord
		want string
	}{
		"first name":      {[]endpointRecord{ep("b", "10.0.0.1", 0), ep("a", "10.1.0.1", 0)}, "a"},
		"priority":        {[]endpointRecord{ep("a", "10.0.0.1", 0), ep("b", "10.1.0.1", 1)}, "b"},
		"negative":        {[]endpointRecord{ep("a", "10.0.0.1", -1), ep("b", "10.1.0.1", 0)}, "b"},
		"internal is not": {[]endpointRecord{ep("a", "", 9), ep("b", "10.1.0.1", 0)}, "b"},
		"nowhere":         {[]endpointRecord{ep("a", "", 0)}, ""},
	} {
		got := ""
		if best := (&Manager{}).gatewayEndpoint(&sandboxRecord{Endpoints: c.eps}, false); best != nil {
			got = best.NetworkName
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestPlanningPorts(t *testing.T) {
	exposed := apinet.PortSet{apinet.MustParsePort("80/tcp"): {}, apinet.MustParsePort("53/udp"): {}}
	loop := Config{HostBinding: netip.MustParseAddr("127.0.0.1")}
	for name, c := range map[string]struct {
		cfg  SandboxConfig
		want string
	}{
		"nothing":             {SandboxConfig{ExposedPorts: exposed}, ""},
		"all":                 {SandboxConfig{ExposedPorts: exposed, PublishAll: true}, "udp 127.0.0.1 0-0 -> 172.17.0.2:53; tcp 127.0.0.1 0-0 -> 172.17.0.2:80"},
		"all but one":         {SandboxConfig{ExposedPorts: exposed, PublishAll: true, PortBindings: bindings("|8080=80/tcp")}, "udp 127.0.0.1 0-0 -> 172.17.0.2:53; tcp 127.0.0.1 8080-8080 -> 172.17.0.2:80"},
		"no binding given":    {SandboxConfig{PortBindings: apinet.PortMap{apinet.MustParsePort("80/tcp"): nil}}, "tcp 127.0.0.1 0-0 -> 172.17.0.2:80"},
		"two for one port":    {SandboxConfig{PortBindings: bindings("192.0.2.1|80=80/tcp", "|81=80/tcp")}, "tcp 192.0.2.1 80-80 -> 172.17.0.2:80; tcp 127.0.0.1 81-81 -> 172.17.0.2:80"},
		"a range":             {SandboxConfig{PortBindings: bindings("|8000-8010=80/sctp")}, "sctp 127.0.0.1 8000-8010 -> 172.17.0.2:80"},
		"an IPv6 address":     {SandboxConfig{PortBindings: bindings("::1|80=80/tcp")}, "tcp ::1 80-80 -> 172.17.0.2:80"},
		"not by host network": {SandboxConfig{Mode: "none2", PortBindings: bindings("|80=80/tcp")}, ""},
	} {
		m := bare(t, loop)
		m.networks["n"] = &network{rec: networkRecord{Network: apinet.Network{ID: "n", Name: "none2", Driver: driverNull}}, endpoints: map[string]endpointRecord{}}
		ports, of, err := m.planPorts(planned(t, m, c.cfg))
		if err != nil || len(of) != len(ports) {
			t.Fatalf("%s: %v, %v", name, of, err)
		}
		var got []string
		for _, p := range ports {
			got = append(got, p.Proto+" "+p.HostIPs[0].String()+" "+portString(p.HostPort)+"-"+portString(p.HostPortEnd)+" -> "+p.Targets[0].String())
		}
		if s := strings.Join(got, "; "); s != c.want {
			t.Errorf("%s: %s, want %s", name, s, c.want)
		}
	}
	m := bare(t, Config{})
	if _, _, err := m.planPorts(planned(t, m, SandboxConfig{PortBindings: bindings("|1=80/dccp")})); errdefs.KindOf(err) != errdefs.KindInvalid {
		t.Errorf("a strange protocol: %v", err)
	}
}

func TestMoreThanOneNetworkOnlyOnBridges(t *testing.T) {
	m := bare(t, Config{})
	m.networks["n"] = &network{rec: networkRecord{Network: apinet.Network{ID: "n", Name: "none", Driver: driverNull}}, endpoints: map[string]endpointRecord{}}
	_, err := m.plan(SandboxConfig{ContainerID: "x", Mode: "none", Endpoints: map[string]*apinet.EndpointSettings{"lan": nil}})
	if errdefs.KindOf(err) != errdefs.KindForbidden {
		t.Errorf("none and another: %v", err)
	}
	_, err = m.plan(SandboxConfig{ContainerID: "x", Endpoints: map[string]*apinet.EndpointSettings{"bridge": {Aliases: []string{"a"}}}})
	if errdefs.KindOf(err) != errdefs.KindInvalid || !strings.Contains(err.Error(), "network-scoped alias") {
		t.Errorf("an alias where there are no names: %v", err)
	}
	for _, n := range m.networks {
		if len(n.endpoints) > 0 {
			t.Errorf("a refused plan uses network %s", n.rec.Name)
		}
	}
}

func TestFindingNetworks(t *testing.T) {
	m := bare(t, Config{})
	m.networks["default2"] = &network{rec: networkRecord{Network: apinet.Network{ID: "default2", Name: "other"}}}
	for ref, want := range map[string]string{"lan": "lan", "la": "lan", "other": "default2", "default": "default", "default2": "default2"} {
		if n, err := m.find(ref); err != nil || n.rec.ID != want {
			t.Errorf("%s: %v", ref, err)
		}
	}
	for ref, kind := range map[string]errdefs.Kind{"defaul": errdefs.KindInvalid, "": errdefs.KindNotFound, "x": errdefs.KindNotFound} {
		if _, err := m.find(ref); errdefs.KindOf(err) != kind {
			t.Errorf("%q: %v", ref, err)
		}
	}
}

func TestParseUntil(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for in, want := range map[string]time.Time{
		"1h": now.Add(-time.Hour), "1700000000": time.Unix(1700000000, 0), "2026-01-01T00:00:00Z": time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		"2026-01-01": time.Date(2026, 1, 1, 0, 0, 0, 0, time.Local),
	} {
		if got, err := parseUntil(in, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
	if _, err := parseUntil("soon", now); errdefs.KindOf(err) != errdefs.KindInvalid {
		t.Errorf("soon: %v", err)
	}
}
