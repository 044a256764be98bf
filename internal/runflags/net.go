package runflags

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"strings"

	"github.com/docker/cli/opts"
	"github.com/docker/go-connections/nat"
	"github.com/moby/moby/api/types/container"
	mobynet "github.com/moby/moby/api/types/network"
	"github.com/spf13/pflag"
)

// notNull is a list that is written as [] and not as null, as docker's command line sends these: inspect shows them so.
func notNull(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func (c *Flags) buildNetwork(_ *pflag.FlagSet, s *Spec) (err error) {
	p, h := &c.network, s.Host
	s.Config.Hostname, s.Config.Domainname = p.hostname, p.domainname
	h.ExtraHosts, h.DNSOptions, h.Links = p.extraHosts.GetSlice(), notNull(p.dnsOptions.GetSlice()), p.links.GetSlice()
	for i, e := range h.ExtraHosts { // name=address is written as name:address
		h.ExtraHosts[i] = strings.Replace(e, "=", ":", 1)
	}
	if h.DNS, err = addresses(p.dns.GetSlice()); err != nil {
		return err
	}
	h.DNSSearch = notNull(p.dnsSearch.GetSlice())
	if len(h.DNSSearch) == 1 && h.DNSSearch[0] == "." {
		h.DNSSearch = []string{"."}
	}
	h.PublishAllPorts = p.publishAll
	list := p.networks.Value()
	h.NetworkMode = container.NetworkMode(p.networks.NetworkMode())
	if len(list) == 0 {
		h.NetworkMode = "default"
		list = []opts.NetworkAttachmentOpts{{Target: "default"}}
	}
	s.Network.EndpointsConfig = map[string]*mobynet.EndpointSettings{}
	var own, given bool // networks that people made, and those that are always there
	for i, n := range list {
		if i == 0 {
			if err := p.legacy(&n); err != nil {
				return err
			}
		}
		ep, err := endpoint(&n)
		if err != nil {
			return err
		}
		mode := container.NetworkMode(n.Target)
		own, given = own || mode.IsUserDefined(), given || !mode.IsUserDefined()
		if own && given || len(list) > 1 && (mode.IsHost() || mode.IsNone() || mode.IsContainer()) {
			return fmt.Errorf("conflicting options: cannot attach both user-defined and non-user-defined network-modes")
		}
		if ep != nil || len(list) > 1 {
			if ep == nil {
				ep = &mobynet.EndpointSettings{}
			}
			s.Network.EndpointsConfig[n.Target] = ep
		}
	}
	return nil
}

// legacy lays the flags that mean the first network over its settings.
func (p *network) legacy(n *opts.NetworkAttachmentOpts) error {
	n.Aliases = append(n.Aliases, p.aliases.GetSlice()...)
	if mode := container.NetworkMode(n.Target); mode.IsUserDefined() {
		n.Links = append(n.Links, p.links.GetSlice()...)
	}
	for _, f := range []struct{ name, from string }{{"--ip", p.ip}, {"--ip6", p.ip6}} {
		if f.from == "" {
			continue
		}
		addr, err := netip.ParseAddr(f.from)
		if err != nil {
			return fmt.Errorf("invalid argument %q for %q flag", f.from, f.name)
		}
		if f.name == "--ip" {
			n.IPv4Address = addr
		} else {
			n.IPv6Address = addr
		}
	}
	if p.mac != "" {
		n.MacAddress = p.mac
	}
	ll, err := addresses(p.linkLocal.GetSlice())
	n.LinkLocalIPs = append(n.LinkLocalIPs, ll...)
	return err
}

// endpoint gives the settings of one network; nil where nothing was set.
func endpoint(n *opts.NetworkAttachmentOpts) (*mobynet.EndpointSettings, error) {
	ep := &mobynet.EndpointSettings{Aliases: n.Aliases, Links: n.Links, DriverOpts: maps.Clone(n.DriverOpts), GwPriority: n.GwPriority}
	set := len(n.Aliases)+len(n.Links)+len(n.DriverOpts) > 0 || n.GwPriority != 0
	if n.IPv4Address.IsValid() || n.IPv6Address.IsValid() || len(n.LinkLocalIPs) > 0 {
		set = true
		ep.IPAMConfig = &mobynet.EndpointIPAMConfig{IPv4Address: n.IPv4Address, IPv6Address: n.IPv6Address, LinkLocalIPs: n.LinkLocalIPs}
	}
	if n.MacAddress != "" {
		set = true
		mac, err := net.ParseMAC(strings.TrimSpace(n.MacAddress))
		if err != nil {
			return nil, fmt.Errorf("%s is not a valid mac address", n.MacAddress)
		}
		ep.MacAddress = mobynet.HardwareAddr(mac)
	}
	if !set {
		return nil, nil
	}
	return ep, nil
}

// Publish reads values of -p.
func Publish(specs []string) (mobynet.PortMap, error) {
	_, bindings, err := nat.ParsePortSpecs(specs)
	if err != nil {
		return nil, err
	}
	out := mobynet.PortMap{}
	for port, list := range bindings {
		n, err := mobynet.ParsePort(string(port))
		if err != nil {
			return nil, err
		}
		for _, b := range list {
			one := mobynet.PortBinding{HostPort: b.HostPort}
			if b.HostIP != "" {
				if one.HostIP, err = netip.ParseAddr(b.HostIP); err != nil {
					return nil, fmt.Errorf("invalid IP address: %s", b.HostIP)
				}
			}
			out[n] = append(out[n], one)
		}
	}
	return out, nil
}

func (c *Flags) buildPorts(_ *pflag.FlagSet, s *Spec) error {
	p := &c.network
	bindings, err := Publish(p.publish.GetSlice())
	if err != nil {
		return err
	}
	s.Config.ExposedPorts, s.Host.PortBindings = mobynet.PortSet{}, bindings
	for port := range bindings {
		s.Config.ExposedPorts[port] = struct{}{}
	}
	for _, e := range p.expose.GetSlice() {
		rng, err := mobynet.ParsePortRange(e)
		if err != nil || strings.Contains(e, ":") {
			return fmt.Errorf("invalid port format for --expose: %s", e)
		}
		for port := range rng.All() {
			s.Config.ExposedPorts[port] = struct{}{}
		}
	}
	return nil
}
