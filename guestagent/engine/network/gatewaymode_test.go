//go:build linux

package network

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"

	apinet "github.com/moby/moby/api/types/network"
)

// A network without a gateway uses all its addresses, and its bridge has none.
func TestIsolatedAndInhibited(t *testing.T) {
	w := newWorld(t, Config{})
	yes := true
	for name, options := range map[string]map[string]string{"isolated": {optGatewayMode4: "isolated", optGatewayMode6: "isolated"}, "inhibit": {optInhibit4: "true"}} {
		options[optBridgeName] = name
		id := w.create(apinet.CreateRequest{Name: name, Internal: true, EnableIPv6: &yes, Options: options,
			IPAM: ipamOf(apinet.IPAMConfig{Subnet: netip.MustParsePrefix("192.168.135.0/31")})})
		a := w.attach(SandboxConfig{ContainerID: "aaaa", Name: "a", Mode: name})
		b := w.attach(SandboxConfig{ContainerID: "bbbb", Name: "b", Mode: name})
		w.serveTCP(b.Key, ":80", "b")
		w.expect(name, a.Key, b.Endpoints[name].IPAddress.String()+":80", "b "+a.Endpoints[name].IPAddress.String())
		bridge, err := net.InterfaceByName(name)
		if err != nil {
			t.Fatal(err)
		}
		addrs, err := bridge.Addrs()
		if err != nil || (name == "isolated" && len(addrs) > 0) {
			t.Errorf("%s: the bridge has %v, %v", name, addrs, err)
		}
		for _, a := range addrs {
			if strings.HasPrefix(a.String(), "192.") {
				t.Errorf("%s: the bridge has %v", name, addrs)
			}
		}
		for _, c := range []string{"aaaa", "bbbb"} {
			if err := w.Detach(context.Background(), c); err != nil {
				t.Error(err)
			}
		}
		if err := w.NetworkRemove(context.Background(), id); err != nil {
			t.Error(err)
		}
	}
}

// With inhibit_ipv4 alone the way out is somebody else's gateway: its address is kept for it.
func TestInhibitedKeepsTheGatewaysAddress(t *testing.T) {
	w := newWorld(t, Config{})
	w.create(apinet.CreateRequest{Name: "shared", Options: map[string]string{optInhibit4: "1"},
		IPAM: ipamOf(apinet.IPAMConfig{Subnet: netip.MustParsePrefix("10.71.0.0/24")})})
	a := w.attach(SandboxConfig{ContainerID: "aaaa", Name: "a", Mode: "shared"})
	if ep := a.Endpoints["shared"]; ep.Gateway.String() != "10.71.0.1" || ep.IPAddress.String() != "10.71.0.2" {
		t.Errorf("%+v", ep)
	}
}

func TestOptionsOfFamiliesAndNames(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := context.Background()
	id := w.create(apinet.CreateRequest{Name: "six", Options: map[string]string{optEnable4: "false", optEnable6: "true", optIfacePrefix: "wan"}})
	n, err := w.NetworkInspect(ctx, id, false)
	if err != nil || n.EnableIPv4 || !n.EnableIPv6 || n.Options[optEnable6] != "true" {
		t.Fatalf("%+v, %v", n, err)
	}
	a := w.attach(SandboxConfig{ContainerID: "aaaa", Name: "a", Mode: "six"})
	if got := w.interfaces(a.Key); len(got) != 1 || got[0] != "wan0" {
		t.Errorf("interfaces %v", got)
	}
	for want, options := range map[string]map[string]string{
		"can only be used for an internal network": {optGatewayMode4: "isolated"},
		"unknown gateway mode bridged":             {optGatewayMode6: "bridged"},
		`"routed" is not implemented`:              {optGatewayMode4: "routed"},
		"is not a valid bool":                      {optEnable6: "perhaps"},
		"inhibit_ipv4 value":                       {optInhibit4: "perhaps"},
		"container_iface_prefix value":             {optIfacePrefix: "a/b"},
		"host_ipv4 is not implemented":             {optHost4: "10.0.0.1"},
	} {
		if _, err := w.NetworkCreate(ctx, &apinet.CreateRequest{Name: "refused", Options: options}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}
