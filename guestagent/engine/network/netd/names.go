//go:build linux

package netd

import (
	"context"
	"net/netip"
	"sync"

	mdns "github.com/miekg/dns"

	"github.com/berthhq/berth/guestagent/engine/network/dns"
	"github.com/berthhq/berth/guestagent/engine/network/netdproto"
)

// names answers for all containers.
type names struct {
	zone *dns.Zone
	host *hostResolvers

	mu   sync.Mutex
	recs map[string]netdproto.Sandbox
}

func newNames(resolvConf string) *names {
	return &names{zone: dns.NewZone(), host: newHostResolvers(resolvConf), recs: map[string]netdproto.Sandbox{}}
}

func (n *names) set(rec netdproto.Sandbox) {
	eps := make([]dns.Endpoint, 0, len(rec.Endpoints))
	for _, e := range rec.Endpoints {
		eps = append(eps, dns.Endpoint{Network: e.Network, Domain: e.Domain, Names: e.Names, IPv4: e.IPv4, IPv6: e.IPv6, Links: e.Links})
	}
	n.zone.Set(rec.ID, eps)
	n.mu.Lock()
	n.recs[rec.ID] = rec
	n.mu.Unlock()
}

func (n *names) remove(id string) {
	n.zone.Remove(id)
	n.mu.Lock()
	delete(n.recs, id)
	n.mu.Unlock()
}

// answer handles one packet of a container.
func (n *names) answer(ctx context.Context, id string, packet []byte, tcp bool) []byte {
	n.mu.Lock()
	rec, ok := n.recs[id]
	n.mu.Unlock()
	if !ok {
		return nil
	}
	r := dns.Responder{Zone: n.zone, Container: id}
	if !rec.Isolated {
		r.Forward = func(ctx context.Context, query *mdns.Msg, tcp bool) *mdns.Msg {
			return ask(ctx, n.upstreams(rec), query, tcp)
		}
	}
	return r.Answer(ctx, packet, tcp)
}

// upstreams are the servers for a container, and the namespace that each is reached from: the container's own, so that
// its routes count; but what the host has on loopback is reached from the host.
func (n *names) upstreams(rec netdproto.Sandbox) []upstream {
	servers, netns := rec.Upstreams, rec.NetNS
	hosts := len(servers) == 0
	if hosts {
		servers = n.host.servers()
	}
	out := make([]upstream, 0, len(servers))
	for _, s := range servers {
		u := upstream{addr: netip.AddrPortFrom(s, 53), netns: netns}
		if hosts && s.IsLoopback() {
			u.netns = ""
		}
		out = append(out, u)
	}
	return out
}
