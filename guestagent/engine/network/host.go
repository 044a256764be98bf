//go:build linux

package network

import (
	"context"
	"errors"
	"hash/fnv"
	"net/netip"
	"slices"

	"github.com/berthhq/berth/guestagent/engine/network/netdproto"
	"github.com/berthhq/berth/internal/agentapi"
)

// hostTries is how often a port that nobody chose is chosen anew because the host has it taken.
const hostTries = 16

// put hands a sandbox to berth-netd and, in a virtual machine, its ports to the host. After an error neither has them.
func (m *Manager) put(ctx context.Context, old []netdproto.Port, want netdproto.Sandbox) ([]netdproto.Port, error) {
	if m.cfg.Host == nil {
		return m.netd.Put(ctx, want)
	}
	here := want
	here.Ports = standIns(want.Ports)
	for try := 1; ; try++ {
		bound, err := m.netd.Put(ctx, here)
		if err != nil {
			return nil, err
		}
		for i := range bound {
			bound[i].HostIPs = want.Ports[i].HostIPs
		}
		err = m.tellHost(ctx, want.ID, old, bound)
		if err == nil {
			return bound, nil
		}
		if len(old) == 0 {
			err = errors.Join(err, m.netd.Drop(ctx, want.ID))
		}
		if taken, ok := errors.AsType[*netdproto.Error](err); !ok || taken.Code != netdproto.CodeTaken || !anyChosen(want.Ports) || try == hostTries {
			return nil, err
		}
	}
}

// drop gives back what put has handed out.
func (m *Manager) drop(ctx context.Context, rec *sandboxRecord) error {
	var err error
	if m.cfg.Host != nil {
		err = m.tellHost(ctx, rec.Config.ContainerID, rec.Published, nil)
	}
	return errors.Join(err, m.netd.Drop(ctx, rec.Config.ContainerID))
}

// anyChosen says that another try may choose another port.
func anyChosen(ports []netdproto.Port) bool {
	return slices.ContainsFunc(ports, func(p netdproto.Port) bool { return p.HostPort == 0 || p.HostPortEnd > p.HostPort })
}

// standIns are ports with addresses that this machine has: one of the host's own is a loopback address here, so that
// the port is still held for it alone.
func standIns(ports []netdproto.Port) []netdproto.Port {
	out := slices.Clone(ports)
	for i, p := range out {
		out[i].HostIPs = make([]netip.Addr, len(p.HostIPs))
		for n, ip := range p.HostIPs {
			out[i].HostIPs[n] = standIn(ip)
		}
	}
	return out
}

func standIn(ip netip.Addr) netip.Addr {
	if ip.IsUnspecified() || ip.IsLoopback() {
		return ip
	}
	h := fnv.New32a()
	_, _ = h.Write(ip.AsSlice())
	n := h.Sum32()
	return netip.AddrFrom4([4]byte{127, byte(n>>16) | 1, byte(n >> 8), byte(n)})
}

// tellHost opens what is new on the host and closes what has gone. After an error nothing that is new is open.
func (m *Manager) tellHost(ctx context.Context, id string, old, bound []netdproto.Port) error {
	was, is := publishes(id, old), publishes(id, bound)
	for i, p := range is {
		if slices.Contains(was, p) {
			continue
		}
		if err := m.cfg.Host.Open(ctx, p); err != nil {
			err = hostRefusal(err, p)
			for _, back := range is[:i] {
				if !slices.Contains(was, back) {
					err = errors.Join(err, m.cfg.Host.Close(ctx, back))
				}
			}
			return err
		}
	}
	var err error
	for _, p := range was {
		if !slices.ContainsFunc(is, func(other agentapi.Publish) bool { return other.Port == p.Port }) {
			err = errors.Join(err, m.cfg.Host.Close(ctx, p))
		}
	}
	return err
}

// hostRefusal is the host's refusal as berth-netd would have worded it.
func hostRefusal(err error, p agentapi.Publish) error {
	e, ok := errors.AsType[*agentapi.Error](err)
	if !ok || e.Code != agentapi.CodeTaken {
		return err
	}
	addr, _ := netip.ParseAddr(p.Address)
	return &netdproto.Error{Code: netdproto.CodeTaken, Message: e.Message, Proto: p.Proto, Addr: netip.AddrPortFrom(addr, p.Port.Port)}
}

// publishes are the ports as the host is told of them. What it cannot listen for (sctp) is this machine's alone.
func publishes(id string, ports []netdproto.Port) (out []agentapi.Publish) {
	for _, p := range ports {
		if p.Proto != "tcp" && p.Proto != "udp" {
			continue
		}
		for _, ip := range p.HostIPs {
			out = append(out, agentapi.Publish{
				Port:   agentapi.Port{Proto: p.Proto, Address: ip.String(), Port: p.HostPort, Container: id},
				Target: p.Target(ip).String(),
			})
		}
	}
	return out
}
