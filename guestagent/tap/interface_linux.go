package tap

import (
	"fmt"
	"net"
	"os"

	"github.com/berthhq/berth/internal/agentapi"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// name is the interface's.
const name = "eth0"

// create makes the TAP. Segments cross it whole, with a header that says how to cut them: containers have an MTU of 1500,
// and a frame for each of those would cost a system call and a copy at each end.
func create() (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	fail := func(what string, err error) (*os.File, error) {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("interface %s: %s: %w", name, what, err)
	}
	req, err := unix.NewIfreq(name)
	if err != nil {
		return fail("name", err)
	}
	req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		return fail("TUNSETIFF", err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TUNSETVNETHDRSZ, agentapi.NetHeader); err != nil {
		return fail("TUNSETVNETHDRSZ", err)
	}
	if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, unix.TUN_F_CSUM|unix.TUN_F_TSO4|unix.TUN_F_TSO6); err != nil {
		return fail("TUNSETOFFLOAD", err)
	}
	return os.NewFile(uintptr(fd), "/dev/net/tun"), nil
}

// configure gives the interface its addresses. Everything goes by way of the gateway, whose hardware address is known:
// nothing has to be asked on the link.
func configure() error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("interface %s: %w", name, err)
	}
	mac, _ := net.ParseMAC(agentapi.NetworkGuestMAC)
	host, _ := net.ParseMAC(agentapi.NetworkHostMAC)
	for _, do := range []func() error{
		func() error { return netlink.LinkSetHardwareAddr(link, mac) },
		func() error { return netlink.LinkSetMTU(link, agentapi.NetworkMTU) },
		func() error { return netlink.LinkSetUp(link) },
		func() error { return family(link, host, agentapi.NetworkGuest4, agentapi.NetworkGateway4, 32) },
		func() error { return family(link, host, agentapi.NetworkGuest6, agentapi.NetworkGateway6, 128) },
	} {
		if err := do(); err != nil {
			return fmt.Errorf("interface %s: %w", name, err)
		}
	}
	return nil
}

// family configures one of the two.
func family(link netlink.Link, host net.HardwareAddr, guest, gateway string, bits int) error {
	address := &net.IPNet{IP: net.ParseIP(guest), Mask: net.CIDRMask(bits, bits)}
	via := net.ParseIP(gateway)
	a := &netlink.Addr{IPNet: address}
	if bits == 128 {
		a.Flags = unix.IFA_F_NODAD
	}
	if err := netlink.AddrAdd(link, a); err != nil {
		return fmt.Errorf("address %s: %w", guest, err)
	}
	n := &netlink.Neigh{LinkIndex: link.Attrs().Index, State: unix.NUD_PERMANENT, IP: via, HardwareAddr: host}
	if err := netlink.NeighSet(n); err != nil {
		return fmt.Errorf("neighbour %s: %w", gateway, err)
	}
	r := &netlink.Route{LinkIndex: link.Attrs().Index, Gw: via, Flags: int(netlink.FLAG_ONLINK)}
	if err := netlink.RouteAdd(r); err != nil {
		return fmt.Errorf("route by way of %s: %w", gateway, err)
	}
	return nil
}
