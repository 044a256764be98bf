//go:build linux

package network

import (
	"cmp"
	"crypto/rand"
	"net"
	"net/netip"
	"slices"

	apinet "github.com/moby/moby/api/types/network"

	"github.com/berthhq/berth/internal/errdefs"
)

// newEndpoint gives a container an interface on a network: identifiers, addresses, names. The caller holds mu.
func (m *Manager) newEndpoint(n *network, cfg SandboxConfig, want *apinet.EndpointSettings, name string) (endpointRecord, error) {
	es := want.Copy()
	es.NetworkID, es.EndpointID = n.rec.ID, newID()
	ep := endpointRecord{NetworkID: n.rec.ID, NetworkName: n.rec.Name, ContainerName: cfg.Name, Settings: es}
	if n.rec.ConfigOnly {
		return ep, errdefs.Forbidden("cannot create endpoint on configuration-only network")
	}
	if n.rec.Driver != driverBridge {
		return ep, refuseAddress(n, want)
	}
	if err := CheckEndpoint(want); err != nil {
		return ep, err
	}
	ep.Interface, ep.HostEnd = name, "veth"+es.EndpointID[:7]
	if err := refuseAddress(n, want); err != nil {
		return ep, err
	}
	if err := n.allocate(es, m.takeHeld(n, cfg.ContainerID, es)); err != nil {
		return ep, err
	}
	if len(es.MacAddress) == 0 {
		es.MacAddress = apinet.HardwareAddr(macFor(es.IPAddress))
	}
	if n.named() {
		es.DNSNames = dnsNames(cfg, es)
	}
	return ep, nil
}

// refuseAddress says why a container may not have the address or aliases that it asks for on a network.
func refuseAddress(n *network, want *apinet.EndpointSettings) error {
	if len(want.Aliases) > 0 && !n.named() {
		return errdefs.Invalid("network-scoped alias is supported only for containers in user defined networks")
	}
	cfg := want.IPAMConfig
	if cfg == nil || (!cfg.IPv4Address.IsValid() && !cfg.IPv6Address.IsValid()) {
		return nil
	}
	switch {
	case !n.named():
		return errdefs.Invalid("user specified IP address is supported on user defined networks only")
	case n.rec.ChosenSubnet && cfg.IPv4Address.IsValid():
		return errdefs.Invalid("user specified IP address is supported only when connecting to networks with user configured subnets")
	}
	for _, a := range []netip.Addr{cfg.IPv4Address, cfg.IPv6Address} {
		s := n.subnet(a.Is6())
		if a.IsValid() && (s == nil || !s.Prefix().Contains(a)) {
			return errdefs.Invalid("invalid endpoint settings: no configured subnet contains IP address %s", a)
		}
	}
	return nil
}

// allocate takes the endpoint's addresses: those asked for, else those of held, else the next free ones.
func (n *network) allocate(es, held *apinet.EndpointSettings) (err error) {
	defer func() {
		if err != nil {
			n.release(es)
		}
	}()
	want4, want6 := held.IPAddress, held.GlobalIPv6Address
	if c := es.IPAMConfig; c != nil && c.IPv4Address.IsValid() {
		want4 = c.IPv4Address
	}
	if c := es.IPAMConfig; c != nil && c.IPv6Address.IsValid() {
		want6 = c.IPv6Address
	}
	es.IPAddress, es.GlobalIPv6Address, es.Gateway, es.IPv6Gateway = netip.Addr{}, netip.Addr{}, netip.Addr{}, netip.Addr{}
	es.IPPrefixLen, es.GlobalIPv6PrefixLen = 0, 0
	if s := n.subnet(false); s != nil {
		if es.IPAddress, err = n.take(false, want4); err != nil {
			return err
		}
		es.IPPrefixLen = s.Prefix().Bits()
	}
	if s := n.subnet(true); s != nil {
		if es.GlobalIPv6Address, err = n.take(true, want6); err != nil {
			return err
		}
		es.GlobalIPv6PrefixLen = s.Prefix().Bits()
	}
	if !n.rec.Internal {
		es.Gateway, es.IPv6Gateway = n.gateway(false), n.gateway(true)
	}
	return nil
}

func (n *network) take(v6 bool, want netip.Addr) (netip.Addr, error) {
	if want.IsValid() {
		for _, s := range n.subnets {
			if s.Prefix().Contains(want) && s.Reserve(want) {
				return want, nil
			}
		}
		return netip.Addr{}, errdefs.Forbidden("Address already in use")
	}
	var err error
	for _, s := range n.subnets {
		if s.Prefix().Addr().Is6() != v6 {
			continue
		}
		var a netip.Addr
		if a, err = s.Next(); err == nil {
			return a, nil
		}
	}
	return netip.Addr{}, errdefs.System("%w: %s", err, n.rec.Name)
}

// macFor makes a hardware address from an IPv4 address, as docker long did: one that is used again is found under the
// hardware address that neighbours still remember.
func macFor(a netip.Addr) net.HardwareAddr {
	mac := net.HardwareAddr{0x02, 0x42, 0, 0, 0, 0}
	if a.Is4() {
		four := a.As4()
		copy(mac[2:], four[:])
	} else {
		_, _ = rand.Read(mac[2:])
	}
	return mac
}

// dnsNames are what a container is called on a user's network: its name, aliases, short ID and hostname.
func dnsNames(cfg SandboxConfig, es *apinet.EndpointSettings) []string {
	var out []string
	add := func(names ...string) {
		for _, n := range names {
			if n != "" && !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	add(cfg.Name)
	add(es.Aliases...)
	add(shortID(cfg.ContainerID), cfg.Hostname)
	return out
}

func shortID(id string) string { return id[:min(len(id), 12)] }

// gatewayEndpoint is the endpoint that leads outside for a family, or nil: the highest priority, then the first name.
func (m *Manager) gatewayEndpoint(rec *sandboxRecord, v6 bool) *endpointRecord {
	var best *endpointRecord
	for i := range rec.Endpoints {
		ep := &rec.Endpoints[i]
		gw := ep.Settings.Gateway
		if v6 {
			gw = ep.Settings.IPv6Gateway
		}
		if !gw.IsValid() {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(ep.Settings.GwPriority, best.Settings.GwPriority), cmp.Compare(best.NetworkName, ep.NetworkName)) > 0 {
			best = ep
		}
	}
	return best
}
