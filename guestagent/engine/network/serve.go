//go:build linux

package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/network/netdproto"
	"github.com/berthhq/berth/guestagent/engine/network/nft"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/porthold"

	"golang.org/x/sys/unix"
)

// serve publishes a sandbox's ports and names, in place of those of old, which may be nil. Ports that stay keep their
// number. A container with neither costs nothing here.
func (m *Manager) serve(ctx context.Context, old, rec *sandboxRecord) error {
	if old == nil {
		old = &sandboxRecord{}
	}
	ports, of, err := m.planPorts(rec)
	if err != nil {
		return err
	}
	if slices.Equal(of, old.Ports) {
		for i := range ports {
			was := old.Published[i]
			ports[i].HostIPs, ports[i].HostPort, ports[i].HostPortEnd = was.HostIPs, was.HostPort, was.HostPortEnd
		}
	}
	want := m.netdSandbox(rec)
	want.Ports = ports
	var bound []netdproto.Port
	switch {
	case want.NetNS != "" || len(ports) > 0:
		if bound, err = m.put(ctx, old.Published, want); err != nil {
			return m.portError(rec, err)
		}
	case len(old.Published) > 0 || m.netdSandbox(old).NetNS != "":
		if err := m.drop(ctx, old); err != nil {
			return err
		}
	}
	if err := m.moveRules(natPorts(old.Published), natPorts(bound)); err != nil {
		if len(old.Endpoints) == 0 {
			err = errors.Join(err, m.drop(ctx, &sandboxRecord{Config: rec.Config, Published: bound}))
		}
		return err
	}
	rec.Published, rec.Ports = bound, of
	flushFlows(bound)
	return nil
}

// moveRules brings the packet rules of a container's ports from old to next.
func (m *Manager) moveRules(old, next []nft.Port) error {
	if m.rules == nil || slices.Equal(old, next) {
		return nil
	}
	err := m.withRules(func() error { return m.rules.Unpublish(old) })
	if err != nil {
		return err
	}
	return m.withRules(func() error { return m.rules.Publish(next) })
}

// withRules changes the packet rules. Where they are not what we left behind, because somebody flushed the ruleset, they
// are made anew first.
func (m *Manager) withRules(change func() error) error {
	if m.rules == nil {
		return nil
	}
	err := change()
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) {
		if err := m.resetRules(); err != nil {
			return err
		}
		return change()
	}
	return err
}

// withdraw undoes serve.
func (m *Manager) withdraw(ctx context.Context, rec *sandboxRecord) error {
	var errs []error
	if len(rec.Published) > 0 {
		errs = append(errs, m.withRules(func() error { return m.rules.Unpublish(natPorts(rec.Published)) }))
	}
	if len(rec.Published) > 0 || m.netdSandbox(rec).NetNS != "" {
		errs = append(errs, m.drop(ctx, rec))
	}
	flushFlows(rec.Published)
	return errors.Join(errs...)
}

// netdSandbox is what berth-netd is to know, without the ports.
func (m *Manager) netdSandbox(rec *sandboxRecord) netdproto.Sandbox {
	cfg := rec.Config
	s := netdproto.Sandbox{ID: cfg.ContainerID, Isolated: true}
	links := map[string]string{}
	for _, l := range cfg.Links {
		links[l.Alias] = l.ContainerID
	}
	for _, ep := range rec.Endpoints {
		if len(ep.Settings.DNSNames) == 0 {
			continue
		}
		s.NetNS = rec.NetNS
		s.Endpoints = append(s.Endpoints, netdproto.Endpoint{Network: ep.NetworkID, Domain: ep.NetworkName, Names: ep.Settings.DNSNames,
			IPv4: ep.Settings.IPAddress, IPv6: ep.Settings.GlobalIPv6Address, Links: links})
	}
	s.Isolated = m.gatewayEndpoint(rec, false) == nil && m.gatewayEndpoint(rec, true) == nil
	s.Upstreams = cfg.DNS
	if len(s.Upstreams) == 0 {
		s.Upstreams = m.cfg.DNS
	}
	return s
}

// natPorts are the rules for what is bound: where host and container have an address of the same family.
func natPorts(bound []netdproto.Port) []nft.Port {
	var out []nft.Port
	for _, p := range bound {
		for _, host := range p.HostIPs {
			target := p.Target(host)
			if target.Addr().Is4() != host.Is4() || (host.Is6() && host.IsLoopback()) {
				continue
			}
			out = append(out, nft.Port{Proto: protocolNumber(p.Proto), Host: host, HostPort: p.HostPort, Container: target})
		}
	}
	return out
}

func protocolNumber(name string) uint8 {
	switch name {
	case "udp":
		return unix.IPPROTO_UDP
	case "sctp":
		return unix.IPPROTO_SCTP
	default:
		return unix.IPPROTO_TCP
	}
}

// portError gives a refusal of berth-netd docker's wording, and names who has the port.
func (m *Manager) portError(rec *sandboxRecord, err error) error {
	var refusal *netdproto.Error
	if !errors.As(err, &refusal) {
		return err
	}
	endpoint := ""
	if len(rec.Endpoints) > 0 {
		endpoint = rec.Endpoints[0].Settings.EndpointID
	}
	msg := fmt.Sprintf("driver failed programming external connectivity on endpoint %s (%s): %s", rec.Config.Name, endpoint, refusal.Message)
	if refusal.Code != netdproto.CodeTaken {
		return errdefs.System("%s", msg)
	}
	who := m.holder(rec, refusal)
	if who == "" {
		return errdefs.System("%s", msg)
	}
	return errdefs.System("%s (it is held by %s)", msg, who).WithHint("stop %s, or publish another port", who)
}

// holder names the container or process that has a port.
func (m *Manager) holder(rec *sandboxRecord, refusal *netdproto.Error) string {
	m.mu.Lock()
	for id, other := range m.sandboxes {
		for _, p := range other.Published {
			if p.Proto == refusal.Proto && p.HostPort == refusal.Addr.Port() && id != rec.Config.ContainerID {
				m.mu.Unlock()
				return "container " + strings.TrimPrefix(other.Config.Name, "/")
			}
		}
	}
	m.mu.Unlock()
	return porthold.Find(refusal.Proto, refusal.Addr)
}
