//go:build linux

package network

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"

	apinet "github.com/moby/moby/api/types/network"
)

// NetworkList lists networks by name.
func (m *Manager) NetworkList(_ context.Context, filters map[string]map[string]bool) ([]apinet.Summary, error) {
	match, err := listFilter(filters)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	out := []apinet.Summary{}
	for _, n := range m.networks {
		if match(n) {
			out = append(out, apinet.Summary{Network: n.public()})
		}
	}
	slices.SortFunc(out, func(a, b apinet.Summary) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	return out, nil
}

// NetworkInspect tells all about a network and who is on it.
func (m *Manager) NetworkInspect(_ context.Context, ref string, _ bool) (*apinet.Inspect, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(ref)
	if err != nil {
		return nil, err
	}
	out := &apinet.Inspect{Network: n.public(), Containers: map[string]apinet.EndpointResource{}, Status: n.status()}
	for id, ep := range n.endpoints {
		es := ep.Settings
		r := apinet.EndpointResource{Name: ep.ContainerName, EndpointID: es.EndpointID, MacAddress: es.MacAddress}
		if es.IPAddress.IsValid() {
			r.IPv4Address = netip.PrefixFrom(es.IPAddress, es.IPPrefixLen)
		}
		if es.GlobalIPv6Address.IsValid() {
			r.IPv6Address = netip.PrefixFrom(es.GlobalIPv6Address, es.GlobalIPv6PrefixLen)
		}
		out.Containers[id] = r
	}
	return out, nil
}

// status counts the addresses of each subnet.
func (n *network) status() *apinet.Status {
	subnets := apinet.SubnetStatuses{}
	for _, s := range n.subnets {
		inUse, free := s.Status()
		subnets[s.Prefix()] = apinet.SubnetStatus{IPsInUse: inUse, DynamicIPsAvailable: free}
	}
	return &apinet.Status{IPAM: apinet.IPAMStatus{Subnets: subnets}}
}

// public is a copy of the record that may leave the lock.
func (n *network) public() apinet.Network {
	p := n.rec.Network
	p.Options, p.Labels = maps.Clone(p.Options), maps.Clone(p.Labels)
	p.IPAM.Options = maps.Clone(p.IPAM.Options)
	p.IPAM.Config = slices.Clone(p.IPAM.Config)
	return p
}
