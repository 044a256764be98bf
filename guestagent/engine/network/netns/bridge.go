//go:build linux

package netns

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Bridge is a bridge interface of the host.
type Bridge struct {
	Name      string
	MTU       int            // 0: the kernel's default
	Addresses []netip.Prefix // the gateway addresses, with the subnet's length
	Alias     string         // says whose it is
	NoIPv6    bool           // not even a link-local address
}

// EnsureBridge makes a bridge, or brings an existing one to what b says, and returns its interface index. Loopback
// routing is on there, for published ports of 127.0.0.1; package nft guards it.
func EnsureBridge(b Bridge) (int, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = b.Name, b.MTU
	err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs})
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return 0, fmt.Errorf("making bridge %s: %w", b.Name, err)
	}
	link, err := netlink.LinkByName(b.Name)
	if err != nil {
		return 0, fmt.Errorf("bridge %s: %w", b.Name, err)
	}
	if link.Type() != "bridge" {
		return 0, fmt.Errorf("interface %s exists and is a %s, not a bridge", b.Name, link.Type())
	}
	if b.Alias != "" && link.Attrs().Alias != b.Alias {
		if err := netlink.LinkSetAlias(link, b.Alias); err != nil {
			return 0, fmt.Errorf("bridge %s: %w", b.Name, err)
		}
	}
	sysctl(b.Name, "ipv4/conf/%s/route_localnet", "1")
	if b.NoIPv6 {
		sysctl(b.Name, "ipv6/conf/%s/disable_ipv6", "1")
	}
	if err := addAddresses(link, b.Addresses); err != nil {
		return 0, err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return 0, fmt.Errorf("bridge %s: %w", b.Name, err)
	}
	return link.Attrs().Index, nil
}

// Address is the first global IPv4 address of an interface, with its subnet's length; invalid if it has none.
func Address(name string) netip.Prefix {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return netip.Prefix{}
	}
	addrs, err := netlink.AddrList(link, netlink.FAMILY_V4)
	if err != nil || len(addrs) == 0 {
		return netip.Prefix{}
	}
	ones, _ := addrs[0].Mask.Size()
	a, _ := netip.AddrFromSlice(addrs[0].IP)
	return netip.PrefixFrom(a.Unmap(), ones)
}

func addAddresses(link netlink.Link, addrs []netip.Prefix) error {
	name := link.Attrs().Name
	for _, p := range addrs {
		if p.Addr().Is6() {
			sysctl(name, "ipv6/conf/%s/disable_ipv6", "0")
		}
		if err := netlink.AddrReplace(link, address(p)); err != nil {
			return fmt.Errorf("address %s of %s: %w", p, name, err)
		}
	}
	return nil
}

func address(p netip.Prefix) *netlink.Addr {
	a := &netlink.Addr{IPNet: ipNet(p)}
	if p.Addr().Is6() {
		a.Flags = unix.IFA_F_NODAD
	}
	return a
}

// Bridges lists the bridges whose alias begins with prefix: name -> rest of the alias.
func Bridges(prefix string) (map[string]string, error) {
	links, err := netlink.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("listing interfaces: %w", err)
	}
	out := map[string]string{}
	for _, l := range links {
		if rest, ok := strings.CutPrefix(l.Attrs().Alias, prefix); ok && l.Type() == "bridge" {
			out[l.Attrs().Name] = rest
		}
	}
	return out, nil
}

// DeleteLink removes an interface of the host; one that is gone already is no error.
func DeleteLink(name string) error {
	link, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkDel(link)
	}
	var gone netlink.LinkNotFoundError
	if err != nil && !errors.As(err, &gone) && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("removing interface %s: %w", name, err)
	}
	return nil
}

// EnableForwarding lets the host route. IPv4 always, IPv6 where v6 is set.
func EnableForwarding(v6 bool) error {
	files := []string{"/proc/sys/net/ipv4/ip_forward"}
	if v6 {
		files = append(files, "/proc/sys/net/ipv6/conf/default/forwarding", "/proc/sys/net/ipv6/conf/all/forwarding")
	}
	for _, f := range files {
		if now, err := os.ReadFile(f); err == nil && strings.TrimSpace(string(now)) == "1" {
			continue
		}
		keepRouterAdvertisements(f)
		if err := os.WriteFile(f, []byte("1"), 0o644); err != nil {
			return fmt.Errorf("enabling forwarding: %w", err)
		}
	}
	return nil
}

// keepRouterAdvertisements lets the host go on learning its IPv6 routes, which the kernel by default stops when it
// becomes a router itself.
func keepRouterAdvertisements(forwarding string) {
	if forwarding != "/proc/sys/net/ipv6/conf/all/forwarding" {
		return
	}
	files, _ := filepath.Glob("/proc/sys/net/ipv6/conf/*/accept_ra")
	for _, f := range files {
		if now, err := os.ReadFile(f); err == nil && strings.TrimSpace(string(now)) == "1" {
			_ = os.WriteFile(f, []byte("2"), 0o644)
		}
	}
}

// Routes lists the destinations that the host has routes for, default routes excepted.
func Routes() ([]netip.Prefix, error) {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_ALL)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("listing routes: %w", err)
	}
	var out []netip.Prefix
	for _, r := range routes {
		if r.Dst == nil {
			continue
		}
		ones, _ := r.Dst.Mask.Size()
		if addr, ok := netip.AddrFromSlice(r.Dst.IP); ok && ones > 0 {
			out = append(out, netip.PrefixFrom(addr.Unmap(), ones))
		}
	}
	return out, nil
}

// sysctl sets a value below /proc/sys/net in the calling thread's namespace. A kernel built without the file (IPv6
// compiled out) has nothing to set.
func sysctl(link, format, value string) {
	_ = os.WriteFile("/proc/sys/net/"+fmt.Sprintf(format, link), []byte(value), 0o644)
}
