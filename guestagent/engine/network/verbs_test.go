//go:build linux

package network

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	apinet "github.com/moby/moby/api/types/network"

	"github.com/berthhq/berth/internal/errdefs"
)

func ipamOf(c ...apinet.IPAMConfig) *apinet.IPAM { return &apinet.IPAM{Config: c} }

func TestCreateRefusals(t *testing.T) {
	w := newWorld(t, Config{})
	w.create(apinet.CreateRequest{Name: "mine", IPAM: ipamOf(apinet.IPAMConfig{Subnet: netip.MustParsePrefix("10.60.0.0/16")}),
		Options: map[string]string{optBridgeName: "mybr0"}})
	sub := func(s string) apinet.IPAMConfig { return apinet.IPAMConfig{Subnet: netip.MustParsePrefix(s)} }
	off := false
	cases := []struct {
		name string
		req  apinet.CreateRequest
		kind errdefs.Kind
		msg  string
	}{
		{"taken name", apinet.CreateRequest{Name: "mine"}, errdefs.KindConflict, "network with name mine already exists"},
		{"predefined", apinet.CreateRequest{Name: "bridge"}, errdefs.KindForbidden, "operation is not permitted on predefined bridge network"},
		{"bad name", apinet.CreateRequest{Name: "a b"}, errdefs.KindInvalid, "invalid network name"},
		{"empty name", apinet.CreateRequest{}, errdefs.KindInvalid, "invalid network name"},
		{"second host", apinet.CreateRequest{Name: "h", Driver: "host"}, errdefs.KindForbidden, `only one instance of "host" network is allowed`},
		{"driver", apinet.CreateRequest{Name: "o", Driver: "weave"}, errdefs.KindNotFound, `plugin "weave" not found`},
		{"overlap", apinet.CreateRequest{Name: "o", IPAM: ipamOf(sub("10.60.3.0/24"))}, errdefs.KindForbidden, "Pool overlaps with other one on this address space"},
		{"overlap with itself", apinet.CreateRequest{Name: "o", IPAM: ipamOf(sub("10.61.0.0/16"), sub("10.61.1.0/24"))}, errdefs.KindForbidden, "Pool overlaps"},
		{"host bits", apinet.CreateRequest{Name: "o", IPAM: ipamOf(sub("10.61.0.1/16"))}, errdefs.KindInvalid, "it should be 10.61.0.0/16"},
		{"gateway outside", apinet.CreateRequest{Name: "o", IPAM: ipamOf(apinet.IPAMConfig{Subnet: netip.MustParsePrefix("10.61.0.0/16"),
			Gateway: netip.MustParseAddr("10.62.0.1")})}, errdefs.KindInvalid, "invalid gateway"},
		{"range outside", apinet.CreateRequest{Name: "o", IPAM: ipamOf(apinet.IPAMConfig{Subnet: netip.MustParsePrefix("10.61.0.0/16"),
			IPRange: netip.MustParsePrefix("10.62.0.0/24")})}, errdefs.KindInvalid, "invalid ip-range"},
		{"gateway alone", apinet.CreateRequest{Name: "o", IPAM: ipamOf(apinet.IPAMConfig{Gateway: netip.MustParseAddr("10.62.0.1")})}, errdefs.KindInvalid, "a subnet is needed"},
		{"mtu", apinet.CreateRequest{Name: "o", Options: map[string]string{optMTU: "big"}}, errdefs.KindInvalid, "failed to parse com.docker.network.driver.mtu value"},
		{"icc", apinet.CreateRequest{Name: "o", Options: map[string]string{optICC: "maybe"}}, errdefs.KindInvalid, "enable_icc"},
		{"bridge taken", apinet.CreateRequest{Name: "o", Options: map[string]string{optBridgeName: "mybr0"}}, errdefs.KindForbidden, "networks have same bridge name"},
		{"bridge too long", apinet.CreateRequest{Name: "o", Options: map[string]string{optBridgeName: "averyverylongname"}}, errdefs.KindInvalid, "longer than 15"},
		{"swarm", apinet.CreateRequest{Name: "o", Scope: "swarm"}, errdefs.KindForbidden, "swarm"},
		{"no family", apinet.CreateRequest{Name: "o", EnableIPv4: &off}, errdefs.KindInvalid, "must be enabled"},
		{"ipam driver", apinet.CreateRequest{Name: "o", IPAM: &apinet.IPAM{Driver: "dhcp"}}, errdefs.KindNotFound, `plugin "dhcp" not found`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := w.NetworkCreate(context.Background(), &c.req)
			if errdefs.KindOf(err) != c.kind || err == nil || !strings.Contains(err.Error(), c.msg) {
				t.Errorf("got %v (kind %d)", err, errdefs.KindOf(err))
			}
		})
	}
	if list, _ := w.NetworkList(context.Background(), nil); len(list) != 4 {
		t.Errorf("%d networks after refusals", len(list))
	}
}

func TestAttachRefusals(t *testing.T) {
	w := newWorld(t, Config{})
	w.create(apinet.CreateRequest{Name: "chosen"})
	w.create(apinet.CreateRequest{Name: "fixed", IPAM: ipamOf(apinet.IPAMConfig{Subnet: netip.MustParsePrefix("10.60.0.0/30")})})
	w.attach(SandboxConfig{ContainerID: "first", Name: "first", Mode: "fixed"})
	at := func(ip string) *apinet.EndpointSettings {
		return &apinet.EndpointSettings{IPAMConfig: &apinet.EndpointIPAMConfig{IPv4Address: netip.MustParseAddr(ip)}}
	}
	cases := []struct {
		name, mode string
		want       *apinet.EndpointSettings
		cfg        SandboxConfig
		msg        string
	}{
		{"no such network", "nowhere", nil, SandboxConfig{}, "network nowhere not found"},
		{"address on the default network", "bridge", at("172.17.0.9"), SandboxConfig{}, "user specified IP address is supported on user defined networks only"},
		{"address on a chosen subnet", "chosen", at("172.18.0.9"), SandboxConfig{}, "only when connecting to networks with user configured subnets"},
		{"address outside", "fixed", at("10.99.0.1"), SandboxConfig{}, "no configured subnet contains IP address 10.99.0.1"},
		{"address taken", "fixed", at("10.60.0.2"), SandboxConfig{}, "Address already in use"},
		{"full", "fixed", nil, SandboxConfig{}, "no available IPv4 addresses on this network's address pools: fixed"},
		{"mac", "bridge", nil, SandboxConfig{MacAddress: "zz"}, "invalid MAC address"},
		{"host entry", "bridge", nil, SandboxConfig{ExtraHosts: []string{"x"}}, "bad format for add-host"},
		{"host address", "bridge", nil, SandboxConfig{ExtraHosts: []string{"x:y"}}, "invalid IP address in add-host"},
		{"port range", "bridge", nil, SandboxConfig{PortBindings: bindings("|9-8=80/tcp")}, "invalid port specification"},
		{"foreign address", "bridge", nil, SandboxConfig{PortBindings: bindings("192.0.2.77|80=80/tcp")}, "cannot assign requested address"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cfg := c.cfg
			cfg.ContainerID, cfg.Name, cfg.Mode = "second", "second", c.mode
			if c.want != nil {
				cfg.Endpoints = map[string]*apinet.EndpointSettings{c.mode: c.want}
			}
			_, err := w.Attach(context.Background(), cfg)
			if err == nil || !strings.Contains(err.Error(), c.msg) {
				t.Errorf("got %v", err)
			}
		})
	}
	sb := w.attach(SandboxConfig{ContainerID: "third", Name: "third", MacAddress: "02:00:00:00:00:07"})
	if es := sb.Endpoints["bridge"]; es.IPAddress.String() != "172.17.0.2" || es.MacAddress.String() != "02:00:00:00:00:07" {
		t.Errorf("after refusals: %+v", es)
	}
}

func TestRemoveInspectAndPrune(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, Config{})
	id := w.create(apinet.CreateRequest{Name: "used", Labels: map[string]string{"tier": "1"}})
	w.create(apinet.CreateRequest{Name: "idle", Labels: map[string]string{"tier": "2"}})
	w.create(apinet.CreateRequest{Name: "kept"})
	w.attach(SandboxConfig{ContainerID: "aaaa", Name: "web", Mode: "used"})
	err := w.NetworkRemove(ctx, "used")
	if errdefs.KindOf(err) != errdefs.KindForbidden || !strings.HasPrefix(err.Error(), "error while removing network: network used has active endpoints (name:\"web\"") {
		t.Errorf("removing a used network: %v", err)
	}
	if err := w.NetworkRemove(ctx, "bridge"); err == nil || err.Error() != "bridge is a pre-defined network and cannot be removed" {
		t.Errorf("removing bridge: %v", err)
	}
	if err := w.NetworkRemove(ctx, "nowhere"); errdefs.KindOf(err) != errdefs.KindNotFound || err.Error() != "network nowhere not found" {
		t.Errorf("removing nothing: %v", err)
	}
	got, err := w.NetworkInspect(ctx, id[:8], false)
	if err != nil || got.Name != "used" || len(got.Containers) != 1 || got.Containers["aaaa"].Name != "web" || got.Containers["aaaa"].IPv4Address.String() != "172.18.0.2/16" {
		t.Errorf("inspect: %+v, %v", got, err)
	}
	for filter, want := range map[string]string{
		"label=tier": "idle used", "label=tier=2": "idle", "name=e": "bridge idle kept none used", "name=^idle$": "idle", "driver=null": "none",
		"type=builtin": "bridge host none", "dangling=true": "idle kept", "id=" + id[:9]: "used", "scope=swarm": "",
	} {
		key, value, _ := strings.Cut(filter, "=")
		list, err := w.NetworkList(ctx, map[string]map[string]bool{key: {value: true}})
		var names []string
		for _, n := range list {
			names = append(names, n.Name)
		}
		if err != nil || strings.Join(names, " ") != want {
			t.Errorf("filter %s: %v, %v; want %s", filter, names, err, want)
		}
	}
	for _, bad := range []string{"nonsense=1", "dangling=perhaps", "type=odd"} {
		key, value, _ := strings.Cut(bad, "=")
		if _, err := w.NetworkList(ctx, map[string]map[string]bool{key: {value: true}}); errdefs.KindOf(err) != errdefs.KindInvalid {
			t.Errorf("filter %s: %v", bad, err)
		}
	}
	if rep, err := w.NetworkPrune(ctx, map[string]map[string]bool{"until": {"1h": true}}); err != nil || len(rep.NetworksDeleted) != 0 {
		t.Errorf("pruning old ones: %v, %v", rep, err)
	}
	rep, err := w.NetworkPrune(ctx, map[string]map[string]bool{"label": {"tier": true}})
	if err != nil || strings.Join(rep.NetworksDeleted, " ") != "idle" {
		t.Errorf("pruning by label: %v, %v", rep, err)
	}
	rep, err = w.NetworkPrune(ctx, nil)
	if err != nil || strings.Join(rep.NetworksDeleted, " ") != "kept" {
		t.Errorf("pruning: %v, %v", rep, err)
	}
}

func TestConfiguredDefaultBridge(t *testing.T) {
	w := newWorld(t, Config{BIP: netip.MustParsePrefix("10.77.0.254/24"), FixedCIDR: netip.MustParsePrefix("10.77.0.64/26"), MTU: 1300,
		HostBinding: netip.MustParseAddr("127.0.0.1"), DNS: []netip.Addr{netip.MustParseAddr("192.0.2.53")}, DNSSearch: []string{"corp.example"}})
	sb := w.attach(SandboxConfig{ContainerID: "aaaa", Name: "a", Hostname: "a", Domainname: "corp.example", PortBindings: bindings("|8070=80/tcp"),
		ExtraHosts: []string{"gw:host-gateway"}})
	es := sb.Endpoints["bridge"]
	if es.IPAddress.String() != "10.77.0.64" || es.Gateway.String() != "10.77.0.254" {
		t.Errorf("endpoint is %+v", es)
	}
	if b := sb.Ports[apinet.MustParsePort("80/tcp")]; len(b) != 1 || b[0].HostIP.String() != "127.0.0.1" {
		t.Errorf("published at %v", b)
	}
	if got := read(t, w.layout.ResolvConf("aaaa")); !strings.Contains(got, "nameserver 192.0.2.53\nsearch corp.example\n") {
		t.Errorf("resolv.conf:\n%s", got)
	}
	hosts := read(t, w.layout.Hosts("aaaa"))
	if !strings.HasPrefix(hosts, "127.0.0.1\tlocalhost\n") || !strings.Contains(hosts, "10.77.0.254\tgw\n") || !strings.HasSuffix(hosts, "10.77.0.64\ta.corp.example a\n") {
		t.Errorf("hosts:\n%s", hosts)
	}
	if got := read(t, w.layout.Hostname("aaaa")); got != "a\n" {
		t.Errorf("hostname: %q", got)
	}
}

func TestLegacyLinks(t *testing.T) {
	w := newWorld(t, Config{})
	w.attach(SandboxConfig{ContainerID: "dbdb", Name: "db"})
	w.attach(SandboxConfig{ContainerID: "aaaa", Name: "a", Links: []Link{{ContainerID: "dbdb", Name: "db", Alias: "database", Hostname: "dbhost"}}})
	if got := read(t, w.layout.Hosts("aaaa")); !strings.Contains(got, "172.17.0.2\tdatabase dbhost db\n") {
		t.Errorf("hosts:\n%s", got)
	}
}
