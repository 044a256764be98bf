// Package dns answers names for containers: who is called what on which network, and what a query gets for an answer.
// It opens no sockets and forwards nothing by itself; berth-netd gives it queries and a way to ask outside.
package dns

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// Endpoint is a container on one network.
type Endpoint struct {
	Container  string
	Network    string   // ID: names are valid within one
	Domain     string   // the network's name
	Names      []string // the first is what the addresses are called
	IPv4, IPv6 netip.Addr
	Links      map[string]string // alias -> container ID, for this container alone
}

// Zone is all names of a machine. Safe for concurrent use.
type Zone struct {
	mu         sync.RWMutex
	containers map[string][]Endpoint
	names      map[networkName][]*Endpoint
	addrs      map[networkAddr]*Endpoint
}

type networkName struct{ network, name string }

type networkAddr struct {
	network string
	addr    netip.Addr
}

// NewZone is an empty zone.
func NewZone() *Zone {
	return &Zone{containers: map[string][]Endpoint{}, names: map[networkName][]*Endpoint{}, addrs: map[networkAddr]*Endpoint{}}
}

// Set replaces all endpoints of a container.
func (z *Zone) Set(container string, eps []Endpoint) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.removeLocked(container)
	own := slices.Clone(eps)
	z.containers[container] = own
	for i := range own {
		e := &own[i]
		e.Container = container
		for _, n := range e.labels() {
			key := networkName{e.Network, n}
			z.names[key] = append(z.names[key], e)
		}
		for _, a := range []netip.Addr{e.IPv4, e.IPv6} {
			if a.IsValid() {
				z.addrs[networkAddr{e.Network, a}] = e
			}
		}
	}
}

// Remove forgets a container.
func (z *Zone) Remove(container string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.removeLocked(container)
}

func (z *Zone) removeLocked(container string) {
	own := z.containers[container]
	delete(z.containers, container)
	for i := range own {
		e := &own[i]
		for _, n := range e.labels() {
			key := networkName{e.Network, n}
			rest := slices.DeleteFunc(z.names[key], func(o *Endpoint) bool { return o == e })
			if len(rest) == 0 {
				delete(z.names, key)
			} else {
				z.names[key] = rest
			}
		}
		for _, a := range []netip.Addr{e.IPv4, e.IPv6} {
			if key := (networkAddr{e.Network, a}); z.addrs[key] == e {
				delete(z.addrs, key)
			}
		}
	}
}

// labels are an endpoint's names in lower case, each once.
func (e *Endpoint) labels() []string {
	out := make([]string, 0, len(e.Names))
	for _, n := range e.Names {
		if n = strings.ToLower(n); n != "" && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// Lookup finds a name as the container asker sees it: on its own networks, its own links first. known is true when the
// name exists, whatever families it has.
func (z *Zone) Lookup(asker, name string) (addrs []netip.Addr, known bool) {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	z.mu.RLock()
	defer z.mu.RUnlock()
	var found []*Endpoint
	for _, mine := range z.containers[asker] {
		found = append(found, z.onNetwork(&mine, name)...)
		if short, ok := strings.CutSuffix(name, "."+strings.ToLower(mine.Domain)); ok && mine.Domain != "" {
			found = append(found, z.onNetwork(&mine, short)...)
		}
	}
	for _, e := range found {
		for _, a := range []netip.Addr{e.IPv4, e.IPv6} {
			if a.IsValid() && !slices.Contains(addrs, a) {
				addrs = append(addrs, a)
			}
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return addrs, len(found) > 0
}

// onNetwork finds a name on the network of one of the asker's endpoints.
func (z *Zone) onNetwork(mine *Endpoint, name string) []*Endpoint {
	for alias, target := range mine.Links {
		if strings.ToLower(alias) != name {
			continue
		}
		own := z.containers[target]
		for i := range own {
			if own[i].Network == mine.Network {
				return []*Endpoint{&own[i]}
			}
		}
	}
	return z.names[networkName{mine.Network, name}]
}

// Reverse gives an address on one of the asker's networks its name, "web.backend".
func (z *Zone) Reverse(asker string, addr netip.Addr) (name string, ok bool) {
	z.mu.RLock()
	defer z.mu.RUnlock()
	for _, mine := range z.containers[asker] {
		if e := z.addrs[networkAddr{mine.Network, addr}]; e != nil && len(e.Names) > 0 {
			return e.Names[0] + "." + e.Domain, true
		}
	}
	return "", false
}
