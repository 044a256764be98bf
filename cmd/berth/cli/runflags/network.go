package runflags

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"strings"

	"github.com/docker/cli/opts"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/spf13/pflag"
)

// networkFlags choose networks and the container's place in them.
type networkFlags struct {
	mode                       opts.NetworkOpt
	aliases, links, linkLocals opts.ListOpts
	ip4, ip6                   net.IP
	mac                        string
}

func (n *networkFlags) add(fs *pflag.FlagSet) {
	n.aliases = opts.NewListOpts(nil)
	n.links = opts.NewListOpts(opts.ValidateLink)
	n.linkLocals = opts.NewListOpts(nil)
	fs.Var(&n.mode, "network", "Connect a container to a network")
	fs.Var(&n.mode, "net", "Connect a container to a network")
	fs.Var(&n.aliases, "network-alias", "Add network-scoped alias for the container")
	fs.Var(&n.aliases, "net-alias", "Add network-scoped alias for the container")
	fs.Var(&n.links, "link", "Add link to another container")
	fs.Var(&n.linkLocals, "link-local-ip", "Container IPv4/IPv6 link-local addresses")
	fs.IPVar(&n.ip4, "ip", nil, "IPv4 address (e.g., 172.30.100.104)")
	fs.IPVar(&n.ip6, "ip6", nil, "IPv6 address (e.g., 2001:db8::33)")
	fs.StringVar(&n.mac, "mac-address", "", "Container MAC address (e.g., 92:d0:c6:0a:29:33)")
	hide(fs, "net", "net-alias")
}

func (n *networkFlags) apply(_ *pflag.FlagSet, spec *Spec) error {
	if n.mac != "" {
		if _, err := net.ParseMAC(strings.TrimSpace(n.mac)); err != nil {
			return fmt.Errorf("%s is not a valid mac address", n.mac)
		}
	}
	spec.HostConfig.Links = n.links.GetSlice()
	spec.HostConfig.NetworkMode = container.NetworkMode(n.mode.NetworkMode())
	endpoints, err := n.endpoints()
	spec.NetworkingConfig.EndpointsConfig = endpoints
	return err
}

// endpoints makes the settings of each network. The flags that name no network (--ip, --network-alias, ...) belong to
// the first. A single network without settings is left out: the mode says it all.
func (n *networkFlags) endpoints() (map[string]*network.EndpointSettings, error) {
	all := n.mode.Value()
	if len(all) == 0 {
		all = []opts.NetworkAttachmentOpts{{Target: "default"}}
	}
	out := make(map[string]*network.EndpointSettings, len(all))
	var user, builtin bool
	for i, a := range all {
		if container.NetworkMode(a.Target).IsUserDefined() {
			user = true
		} else {
			builtin = true
		}
		if i == 0 {
			if err := n.merge(&a); err != nil {
				return nil, err
			}
		}
		ep, err := endpointSettings(a)
		if err != nil {
			return nil, err
		}
		if _, ok := out[a.Target]; ok {
			return nil, fmt.Errorf("network %q is specified multiple times", a.Target)
		}
		if len(n.mode.Value()) == 1 && reflect.ValueOf(*ep).IsZero() {
			continue
		}
		out[a.Target] = ep
	}
	if user && builtin {
		return nil, errors.New("conflicting options: cannot attach both user-defined and non-user-defined network-modes")
	}
	return out, nil
}

// merge lays the flags that name no network over the first one's own options; both at once is an error.
func (n *networkFlags) merge(a *opts.NetworkAttachmentOpts) error {
	conflicts := []struct {
		both bool
		what string
	}{
		{len(a.Aliases) > 0 && n.aliases.Len() > 0, "--network-alias and per-network alias"},
		{len(a.Links) > 0 && n.links.Len() > 0, "--link and per-network links"},
		{a.IPv4Address.IsValid() && n.ip4 != nil, "--ip and per-network IPv4 address"},
		{a.IPv6Address.IsValid() && n.ip6 != nil, "--ip6 and per-network IPv6 address"},
		{a.MacAddress != "" && n.mac != "", "--mac-address and per-network MAC address"},
		{len(a.LinkLocalIPs) > 0 && n.linkLocals.Len() > 0, "--link-local-ip and per-network link-local IP addresses"},
	}
	for _, c := range conflicts {
		if c.both {
			return fmt.Errorf("conflicting options: cannot specify both %s", c.what)
		}
	}
	if n.aliases.Len() > 0 {
		a.Aliases = n.aliases.GetSlice()
	}
	// On a network of the user's own a link is an alias of the endpoint; on the default bridge it is docker's old link.
	if n.links.Len() > 0 && container.NetworkMode(a.Target).IsUserDefined() {
		a.Links = n.links.GetSlice()
	}
	if ip, ok := netip.AddrFromSlice(n.ip4.To4()); ok {
		a.IPv4Address = ip
	}
	if ip, ok := netip.AddrFromSlice(n.ip6.To16()); ok {
		a.IPv6Address = ip
	}
	if n.mac != "" {
		a.MacAddress = n.mac
	}
	if n.linkLocals.Len() > 0 {
		a.LinkLocalIPs = addresses(n.linkLocals.GetSlice())
	}
	return nil
}

func endpointSettings(a opts.NetworkAttachmentOpts) (*network.EndpointSettings, error) {
	if strings.TrimSpace(a.Target) == "" {
		return nil, errors.New("no name set for network")
	}
	if !container.NetworkMode(a.Target).IsUserDefined() {
		if len(a.Aliases) > 0 {
			return nil, errors.New("network-scoped aliases are only supported for user-defined networks")
		}
		if len(a.Links) > 0 {
			return nil, errors.New("links are only supported for user-defined networks")
		}
	}
	ep := &network.EndpointSettings{GwPriority: a.GwPriority}
	ep.Aliases = append(ep.Aliases, a.Aliases...)
	if len(a.DriverOpts) > 0 {
		ep.DriverOpts = a.DriverOpts
	}
	if len(a.Links) > 0 {
		ep.Links = a.Links
	}
	if a.IPv4Address.IsValid() || a.IPv6Address.IsValid() || len(a.LinkLocalIPs) > 0 {
		ep.IPAMConfig = &network.EndpointIPAMConfig{
			IPv4Address: a.IPv4Address, IPv6Address: a.IPv6Address, LinkLocalIPs: a.LinkLocalIPs,
		}
	}
	if a.MacAddress != "" {
		mac, err := net.ParseMAC(strings.TrimSpace(a.MacAddress))
		if err != nil {
			return nil, fmt.Errorf("%s is not a valid mac address", a.MacAddress)
		}
		ep.MacAddress = network.HardwareAddr(mac)
	}
	return ep, nil
}

// addresses parses addresses that the flag's validator has passed; what is none is left out, as docker does.
func addresses(list []string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		if a, err := netip.ParseAddr(s); err == nil {
			out = append(out, a)
		}
	}
	return out
}

func hide(fs *pflag.FlagSet, names ...string) {
	for _, n := range names {
		fs.Lookup(n).Hidden = true
	}
}
