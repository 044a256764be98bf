//go:build linux

package network

import (
	"net/netip"
	"os"
	"slices"
	"strings"

	apinet "github.com/moby/moby/api/types/network"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/guestagent/engine/network/netdproto"
	"github.com/berthhq/berth/internal/errdefs"
)

// planPorts turns the bindings asked for into what berth-netd is to hold. of names the container's port of each.
func (m *Manager) planPorts(rec *sandboxRecord) (ports []netdproto.Port, of []portRecord, err error) {
	cfg := rec.Config
	gw := m.gatewayEndpoint(rec, false)
	if gw == nil {
		gw = m.gatewayEndpoint(rec, true)
	}
	if gw == nil {
		return nil, nil, nil // host, none and internal networks publish nothing
	}
	bindings := map[apinet.Port][]apinet.PortBinding{}
	for p, b := range cfg.PortBindings {
		if len(b) == 0 {
			b = []apinet.PortBinding{{}}
		}
		bindings[p] = b
	}
	if cfg.PublishAll {
		for p := range cfg.ExposedPorts {
			if len(bindings[p]) == 0 {
				bindings[p] = []apinet.PortBinding{{}}
			}
		}
	}
	for _, p := range sortedPorts(bindings) {
		for _, b := range bindings[p] {
			port, err := m.planPort(gw, p, b)
			if err != nil {
				return nil, nil, err
			}
			ports, of = append(ports, port), append(of, portRecord{p})
		}
	}
	return ports, of, nil
}

func (m *Manager) planPort(gw *endpointRecord, p apinet.Port, b apinet.PortBinding) (netdproto.Port, error) {
	out := netdproto.Port{Proto: string(p.Proto()), HostIPs: []netip.Addr{b.HostIP.Unmap()}}
	switch out.Proto {
	case "tcp", "udp", "sctp":
	default:
		return out, errdefs.Invalid("invalid protocol: %s", p.Proto())
	}
	if !b.HostIP.IsValid() {
		out.HostIPs = m.defaultHostIPs(gw)
	}
	if b.HostPort != "" {
		r, err := apinet.ParsePortRange(b.HostPort)
		if err != nil {
			return out, errdefs.Invalid("invalid port specification: %q", b.HostPort)
		}
		out.HostPort, out.HostPortEnd = r.Start(), r.End()
	}
	for _, a := range []netip.Addr{gw.Settings.IPAddress, gw.Settings.GlobalIPv6Address} {
		if a.IsValid() {
			out.Targets = append(out.Targets, netip.AddrPortFrom(a, p.Num()))
		}
	}
	return out, nil
}

// defaultHostIPs are where ports are published that name no address: docker's 0.0.0.0 and [::], or what the network or
// the configuration narrows it to.
func (m *Manager) defaultHostIPs(gw *endpointRecord) []netip.Addr {
	m.mu.Lock()
	n := m.networks[gw.NetworkID]
	m.mu.Unlock()
	if n != nil {
		if a, err := netip.ParseAddr(n.rec.Options[optHostBinding]); err == nil && a != netip.IPv4Unspecified() {
			return []netip.Addr{a}
		}
	}
	if m.cfg.HostBinding.IsValid() && m.cfg.HostBinding != netip.IPv4Unspecified() {
		return []netip.Addr{m.cfg.HostBinding}
	}
	ips := []netip.Addr{netip.IPv4Unspecified()}
	if hostHasIPv6() && (!m.cfg.NoPortProxy || gw.Settings.GlobalIPv6Address.IsValid()) {
		ips = append(ips, netip.IPv6Unspecified())
	}
	return ips
}

func hostHasIPv6() bool {
	v, err := os.ReadFile("/proc/sys/net/ipv6/conf/all/disable_ipv6")
	return err == nil && strings.TrimSpace(string(v)) == "0"
}

// portMap tells the ports as the API does: what is exposed and not published has no bindings.
func (rec *sandboxRecord) portMap() apinet.PortMap {
	out := apinet.PortMap{}
	for p := range rec.Config.ExposedPorts {
		out[p] = nil
	}
	for i, p := range rec.Published {
		for _, ip := range p.HostIPs {
			key := rec.Ports[i].Container
			out[key] = append(out[key], apinet.PortBinding{HostIP: ip, HostPort: portString(p.HostPort)})
		}
	}
	return out
}

func portString(n uint16) string {
	p, _ := apinet.PortFrom(n, apinet.TCP)
	return p.Port()
}

func sortedPorts[V any](m map[apinet.Port]V) []apinet.Port {
	out := make([]apinet.Port, 0, len(m))
	for p := range m {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b apinet.Port) int {
		if a.Num() != b.Num() {
			return int(a.Num()) - int(b.Num())
		}
		return strings.Compare(string(a.Proto()), string(b.Proto()))
	})
	return out
}

// flushFlows makes the kernel forget UDP flows to published ports: an old one would go on to where it went before.
func flushFlows(bound []netdproto.Port) {
	for _, p := range bound {
		if p.Proto != "udp" {
			continue
		}
		f := &netlink.ConntrackFilter{}
		if f.AddProtocol(unix.IPPROTO_UDP) != nil || f.AddPort(netlink.ConntrackOrigDstPort, p.HostPort) != nil {
			continue
		}
		for _, family := range []netlink.InetFamily{unix.AF_INET, unix.AF_INET6} {
			_, _ = netlink.ConntrackDeleteFilters(netlink.ConntrackTable, family, f) // without conntrack there are no flows
		}
	}
}
