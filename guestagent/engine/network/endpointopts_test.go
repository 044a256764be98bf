//go:build linux

package network

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	apinet "github.com/moby/moby/api/types/network"
)

func optioned(opts ...string) *apinet.EndpointSettings {
	es := &apinet.EndpointSettings{DriverOpts: map[string]string{}}
	for i := 0; i < len(opts); i += 2 {
		es.DriverOpts[opts[i]] = opts[i+1]
	}
	return es
}

// interfaces names those of a namespace but lo.
func (w *world) interfaces(ns string) (out []string) {
	w.in(ns, func() error {
		list, err := net.Interfaces()
		for _, i := range list {
			if i.Name != "lo" {
				out = append(out, i.Name)
			}
		}
		return err
	})
	return out
}

func TestOptionsOfInterfaces(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := context.Background()
	w.create(apinet.CreateRequest{Name: "lan"})
	w.create(apinet.CreateRequest{Name: "wan"})
	first := optioned(optIfname, "uplink", optSysctls, "net.ipv4.conf.IFNAME.forwarding=0,net.ipv4.conf.ifname.log_martians=1")
	first.IPAMConfig = &apinet.EndpointIPAMConfig{LinkLocalIPs: []netip.Addr{netip.MustParseAddr("169.254.7.8"), netip.MustParseAddr("fe80::77")}}
	app := w.attach(SandboxConfig{ContainerID: "aaaa", Name: "app", Mode: "bridge", Endpoints: map[string]*apinet.EndpointSettings{"bridge": first, "lan": optioned(optIfname, "eth0"), "wan": nil}})
	if got := fmt.Sprint(w.interfaces(app.Key)); got != "[uplink eth0 eth1]" {
		t.Errorf("interfaces: %v", got)
	}
	w.in(app.Key, func() error {
		for key, want := range map[string]string{"uplink/forwarding": "0", "uplink/log_martians": "1", "eth0/log_martians": "0"} {
			b, err := os.ReadFile("/proc/sys/net/ipv4/conf/" + key)
			if err != nil || strings.TrimSpace(string(b)) != want {
				t.Errorf("%s is %q, %v", key, b, err)
			}
		}
		up, err := net.InterfaceByName("uplink")
		if err != nil {
			return err
		}
		addrs, err := up.Addrs()
		if got := fmt.Sprint(addrs); !strings.Contains(got, "169.254.7.8/16") || !strings.Contains(got, "fe80::77/64") {
			t.Errorf("addresses: %s", got)
		}
		return err
	})
	w.serveTCP(w.neighbour, ":97", "neighbour")
	w.expect("outside, by an interface of another name", app.Key, neighbourAddr+":97", "neighbour "+hostAddr)

	cfg := SandboxConfig{Name: "app", Mode: "bridge"}
	w.create(apinet.CreateRequest{Name: "more"})
	if err := w.Connect(ctx, "aaaa", "more", optioned(optIfname, "uplink"), cfg); err == nil || !strings.Contains(err.Error(), `error renaming interface to "uplink": file exists`) {
		t.Errorf("a name that is taken: %v", err)
	}
	if err := w.Connect(ctx, "aaaa", "more", optioned(optIfname, "extra", optSysctls, "net.ipv4.conf.IFNAME.nothing=1"), cfg); err == nil || !strings.Contains(err.Error(), "setting nothing of extra") {
		t.Errorf("a setting that does not exist: %v", err)
	}
	if err := w.Connect(ctx, "aaaa", "more", optioned(optIfname, "extra"), cfg); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprint(w.interfaces(app.Key)); got != "[uplink eth0 eth1 extra]" {
		t.Errorf("interfaces: %v", got)
	}
	if err := w.Disconnect(ctx, "aaaa", "more", false); err != nil {
		t.Error(err)
	}
}

func TestOptionsOfInterfacesThatAreRefused(t *testing.T) {
	for _, es := range []*apinet.EndpointSettings{
		optioned(optIfname, ""), optioned(optIfname, "lo"), optioned(optIfname, "a/b"), optioned(optIfname, "sixteen-is-a-lot"),
		optioned(optSysctls, "net.ipv4.conf.eth0.forwarding=1"), optioned(optSysctls, "kernel.msgmax=1"), optioned(optSysctls, "net.ipv4.conf.IFNAME.forwarding"),
		optioned(optSysctls, "net.ipv4.conf.IFNAME.../../../kernel/core_pattern=|/x"), optioned(optSysctls, ""), optioned(optSysctls, "net.core.conf.IFNAME.x=1"),
		{IPAMConfig: &apinet.EndpointIPAMConfig{LinkLocalIPs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}},
	} {
		if err := CheckEndpoint(es); err == nil {
			t.Errorf("%+v is taken", es)
		}
	}
}
