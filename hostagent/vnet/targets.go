package vnet

import (
	"net"
	"net/netip"

	"github.com/berthhq/berth/internal/agentapi"
	"gvisor.dev/gvisor/pkg/tcpip"
)

// reserved are never reached by the guest as they are: this network's own, the host's loopback (which has a name of its
// own here), and addresses that mean something on the host's links only, among them a cloud's metadata.
func reserved(a netip.Addr) bool {
	for _, own := range []string{agentapi.NetworkGateway4 + "/24", agentapi.NetworkGateway6 + "/64"} {
		if netip.MustParsePrefix(own).Contains(a) {
			return true
		}
	}
	return a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || a.IsLinkLocalUnicast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// targets are the addresses of the host's that a destination of the guest's stands for, to be tried in turn; none where
// the guest may not go. host.docker.internal is the host's loopback, without the ports that are private to the host agent.
func (n *Network) targets(to netip.AddrPort) []netip.AddrPort {
	a := to.Addr().Unmap()
	private := n.opt.Private != nil && n.opt.Private(to.Port())
	switch {
	case a == netip.MustParseAddr(agentapi.NetworkHost4) || a == netip.MustParseAddr(agentapi.NetworkHost6):
		if private {
			return nil
		}
		return []netip.AddrPort{
			netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), to.Port()),
			netip.AddrPortFrom(netip.IPv6Loopback(), to.Port()),
		}
	case reserved(a), private && ofHost(a):
		return nil
	}
	return []netip.AddrPort{netip.AddrPortFrom(a, to.Port())}
}

// ofHost says whether an address is one of this computer. Where that cannot be told it may be.
func ofHost(a netip.Addr) bool {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	for _, one := range all {
		if p, err := netip.ParsePrefix(one.String()); err == nil && p.Addr().Unmap() == a {
			return true
		}
	}
	return false
}

func addrPort(a tcpip.Address, port uint16) netip.AddrPort {
	addr, _ := netip.AddrFromSlice(a.AsSlice())
	return netip.AddrPortFrom(addr, port)
}
