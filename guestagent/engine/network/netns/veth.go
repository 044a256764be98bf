//go:build linux

package netns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Port is one end of a veth pair inside a namespace, and what belongs to it.
type Port struct {
	HostName  string // of the end that stays on the host
	Name      string // of the end inside: "eth0"
	Bridge    int    // interface index that the host's end is attached to
	MAC       net.HardwareAddr
	MTU       int // 0: the kernel's default
	Addresses []netip.Prefix
	Isolated  bool // no traffic to other isolated ports of the bridge
	Sysctls   map[string]string
}

// Namespace is an open network namespace to plug ports into. Not safe for concurrent use.
type Namespace struct {
	file   *os.File
	handle *netlink.Handle
	host   *netlink.Handle
}

// Host is a netlink connection in the host's namespace, kept because making one costs as much as a request.
func Host() (*netlink.Handle, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("opening netlink: %w", err)
	}
	return h, nil
}

// Current is the namespace of the calling thread; for use in Create's setup and in Do. Close it.
func Current(host *netlink.Handle) (*Namespace, error) {
	f, err := os.Open(threadNetNS)
	if err != nil {
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("opening netlink: %w", err)
	}
	return &Namespace{file: f, handle: h, host: host}, nil
}

// Close ends the connections; the namespace stays as it is.
func (n *Namespace) Close() {
	n.handle.Close()
	n.file.Close()
}

// LoopbackUp starts lo.
func (n *Namespace) LoopbackUp() error {
	if err := n.handle.LinkSetUp(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: "lo", Index: 1}}); err != nil {
		return fmt.Errorf("starting loopback: %w", err)
	}
	return nil
}

// Plug makes the pair and configures the inner end. Call it on a thread that is inside the namespace.
func (n *Namespace) Plug(p Port) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU, attrs.MasterIndex, attrs.Flags = p.HostName, p.MTU, p.Bridge, net.FlagUp
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: p.Name, PeerHardwareAddr: p.MAC, PeerMTU: uint32(p.MTU),
		PeerNamespace: netlink.NsFd(n.file.Fd())}
	if err := n.host.LinkAdd(veth); err != nil {
		return fmt.Errorf("making interface %s: %w", p.HostName, err)
	}
	if err := n.configure(p, veth); err != nil {
		_ = n.host.LinkDel(veth)
		return err
	}
	runtime.KeepAlive(n.file)
	return nil
}

func (n *Namespace) configure(p Port, veth *netlink.Veth) error {
	// With br_netfilter a container's connection to its own published port comes back by the port it left from.
	if err := n.host.LinkSetHairpin(veth, true); err != nil {
		return fmt.Errorf("hairpin mode of %s: %w", p.HostName, err)
	}
	if p.Isolated {
		if err := n.host.LinkSetIsolated(veth, true); err != nil {
			return fmt.Errorf("isolating %s: %w", p.HostName, err)
		}
	}
	link, err := n.handle.LinkByName(p.Name)
	if err != nil {
		return fmt.Errorf("interface %s: %w", p.Name, err)
	}
	v6 := "1"
	for _, a := range p.Addresses {
		if a.Addr().Is6() {
			v6 = "0"
		}
	}
	sysctl(p.Name, "ipv6/conf/%s/disable_ipv6", v6)
	sysctl(p.Name, "ipv4/conf/%s/arp_notify", "1") // neighbours and the bridge learn of us when the link comes up
	for _, a := range p.Addresses {
		if err := n.handle.AddrAdd(link, address(a)); err != nil {
			return fmt.Errorf("address %s of %s: %w", a, p.Name, err)
		}
	}
	for name, value := range p.Sysctls {
		if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644); err != nil {
			return fmt.Errorf("sysctl net/%s: %w", name, err)
		}
	}
	if err := n.handle.LinkSetUp(link); err != nil {
		return fmt.Errorf("starting %s: %w", p.Name, err)
	}
	return nil
}

// Cut takes the host's end of a port off its bridge. It costs a hundredth of removing the interface, which the kernel
// does when the namespace goes; until then nothing inside can answer at an address that may be another's already.
func Cut(host *netlink.Handle, hostName string) error {
	link, err := host.LinkByName(hostName)
	if err == nil {
		err = host.LinkSetNoMaster(link)
	}
	var gone netlink.LinkNotFoundError
	if err != nil && !errors.As(err, &gone) && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("taking %s off its bridge: %w", hostName, err)
	}
	return nil
}

// Unplug removes a port by its inner name, and the host's end with it.
func (n *Namespace) Unplug(name string) error {
	link, err := n.handle.LinkByName(name)
	if err == nil {
		err = n.handle.LinkDel(link)
	}
	if err != nil {
		return fmt.Errorf("removing interface %s: %w", name, err)
	}
	return nil
}

// SetGateway makes gw, of either family, the default route by way of the interface name. An invalid gw removes the
// family's default route.
func (n *Namespace) SetGateway(v6 bool, gw netip.Addr, name string) error {
	family, dst := netlink.FAMILY_V4, netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if v6 {
		family, dst = netlink.FAMILY_V6, netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	if !gw.IsValid() {
		routes, err := n.handle.RouteListFiltered(family, &netlink.Route{Dst: nil}, netlink.RT_FILTER_DST)
		for _, r := range routes {
			if err == nil {
				err = n.handle.RouteDel(&r)
			}
		}
		if err != nil {
			return fmt.Errorf("removing default route: %w", err)
		}
		return nil
	}
	link, err := n.handle.LinkByName(name)
	if err != nil {
		return fmt.Errorf("interface %s: %w", name, err)
	}
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(dst), Gw: gw.AsSlice()}
	if err := n.handle.RouteReplace(route); err != nil {
		return fmt.Errorf("default route by %s: %w", gw, err)
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
