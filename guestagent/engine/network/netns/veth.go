//go:build linux

package netns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Port is a veth pair: one end on a bridge of the host, the other inside a namespace, with what belongs to it there.
type Port struct {
	HostName  string // of the end that stays on the host
	Name      string // of the end inside: "eth0"
	Bridge    int    // interface index that the host's end is attached to
	MAC       net.HardwareAddr
	MTU       int // 0: the kernel's default
	Addresses []netip.Prefix
	Isolated  bool // no traffic to other isolated ports of the bridge
	Sysctls   []Sysctl
}

// Sysctl is a setting of one interface, a file below /proc/sys/net/GROUP/NAME.
type Sysctl struct {
	Group      string // "ipv4/conf"
	Key, Value string
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

// Current is the namespace of the calling thread; for use in Create's setup and in Do. It stays usable from any thread.
// Close it.
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

// Pair is a veth pair that Make made and Activate has yet to use.
type Pair struct {
	hostEnd, inside netlink.Link
}

// Plug makes a pair and puts it to use. Call it on a thread that is inside the namespace.
func (n *Namespace) Plug(p Port) error {
	pair, err := n.Make(p.HostName, p.Name, p.MTU)
	if err != nil {
		return err
	}
	if err := n.Activate(pair, p); err != nil {
		_ = n.host.LinkDel(pair.hostEnd)
		return err
	}
	return nil
}

// Make makes a pair, on no bridge yet and without IPv6. Call it on a thread that is inside the namespace.
func (n *Namespace) Make(hostName, name string, mtu int) (*Pair, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU, attrs.Flags = hostName, mtu, net.FlagUp
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: name, PeerMTU: uint32(mtu), PeerNamespace: netlink.NsFd(n.file.Fd())}
	if err := n.host.LinkAdd(veth); err != nil {
		return nil, fmt.Errorf("making interface %s: %w", hostName, err)
	}
	runtime.KeepAlive(n.file)
	link, err := n.handle.LinkByName(name)
	if err != nil {
		_ = n.host.LinkDel(veth)
		return nil, fmt.Errorf("interface %s: %w", name, err)
	}
	sysctl(name, "ipv6/conf/%s/disable_ipv6", "1")
	sysctl(name, "ipv4/conf/%s/arp_notify", "1") // neighbours and the bridge learn of us when the link comes up
	return &Pair{hostEnd: veth, inside: link}, nil
}

// Activate puts a pair on its bridge, gives the inner end its addresses and starts it. It may be called on any thread;
// with IPv6 addresses or settings on one that is inside the namespace.
func (n *Namespace) Activate(pair *Pair, p Port) error {
	if err := n.attach(pair, p); err != nil {
		return err
	}
	if len(p.MAC) > 0 {
		if err := n.handle.LinkSetHardwareAddr(pair.inside, p.MAC); err != nil {
			return fmt.Errorf("hardware address %s of %s: %w", p.MAC, p.Name, err)
		}
	}
	for _, a := range p.Addresses {
		if a.Addr().Is6() {
			sysctl(p.Name, "ipv6/conf/%s/disable_ipv6", "0")
		}
		if err := n.handle.AddrAdd(pair.inside, address(a)); err != nil {
			return fmt.Errorf("address %s of %s: %w", a, p.Name, err)
		}
	}
	for _, s := range p.Sysctls {
		if err := os.WriteFile("/proc/sys/net/"+s.Group+"/"+p.Name+"/"+s.Key, []byte(s.Value), 0); err != nil {
			return fmt.Errorf("setting %s of %s: %w", s.Key, p.Name, err)
		}
	}
	if err := n.handle.LinkSetUp(pair.inside); err != nil {
		return fmt.Errorf("starting %s: %w", p.Name, err)
	}
	return n.waitForCarrier(pair)
}

// carrierWait bounds the wait for the kernel's link watch, which works once a second at worst.
const carrierWait = 1500 * time.Millisecond

// waitForCarrier returns when the bridge passes packets to the host's end. The kernel learns of a carrier in the
// background, and until then the container's first packets would be lost, at the price of a second or more. Kernels
// since 6.8 catch up when they are asked, the older ones soon after.
func (n *Namespace) waitForCarrier(pair *Pair) error {
	for start := time.Now(); ; time.Sleep(200 * time.Microsecond) {
		link, err := n.host.LinkByIndex(pair.hostEnd.Attrs().Index)
		if err != nil {
			return fmt.Errorf("interface %s: %w", pair.hostEnd.Attrs().Name, err)
		}
		if link.Attrs().OperState == netlink.OperUp || time.Since(start) > carrierWait {
			return nil
		}
	}
}

// attach puts the host's end on its bridge.
func (n *Namespace) attach(pair *Pair, p Port) error {
	if p.MTU > 0 && p.MTU != pair.inside.Attrs().MTU {
		for _, set := range []func() error{
			func() error { return n.host.LinkSetMTU(pair.hostEnd, p.MTU) },
			func() error { return n.handle.LinkSetMTU(pair.inside, p.MTU) },
		} {
			if err := set(); err != nil {
				return fmt.Errorf("MTU %d of %s: %w", p.MTU, p.Name, err)
			}
		}
	}
	if err := n.host.LinkSetMasterByIndex(pair.hostEnd, p.Bridge); err != nil {
		return fmt.Errorf("putting %s on its bridge: %w", p.HostName, err)
	}
	// With br_netfilter a container's connection to its own published port comes back by the port it left from.
	if err := n.host.LinkSetHairpin(pair.hostEnd, true); err != nil {
		return fmt.Errorf("hairpin mode of %s: %w", p.HostName, err)
	}
	if p.Isolated {
		if err := n.host.LinkSetIsolated(pair.hostEnd, true); err != nil {
			return fmt.Errorf("isolating %s: %w", p.HostName, err)
		}
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

// SetGateway makes gw, of either family, the default route by way of the interface name, in place of any other.
func (n *Namespace) SetGateway(v6 bool, gw netip.Addr, name string) error {
	dst := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if v6 {
		dst = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
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
