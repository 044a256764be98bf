//go:build linux

package network

import (
	"net/netip"
	"strconv"

	apinet "github.com/moby/moby/api/types/network"

	"github.com/berthhq/berth/guestagent/engine/network/ipam"
	"github.com/berthhq/berth/guestagent/engine/network/netdproto"
)

// Store keeps records of one kind (package meta's stores are such).
type Store[T any] interface {
	Put(key string, v T) error
	Delete(key string) error
	All() (map[string]T, error)
}

// Publisher tells the world what happened (package events' bus is one).
type Publisher interface {
	Publish(typ, action, id string, attrs map[string]string)
}

// networkRecord is what is kept of a network.
type networkRecord struct {
	apinet.Network
	// ChosenSubnet says that nobody asked for the subnet: then nobody may ask for addresses in it.
	ChosenSubnet bool
}

// sandboxRecord is what is kept of a container's network while it runs; it does not outlive a boot.
type sandboxRecord struct {
	Config    SandboxConfig
	NetNS     string // path; empty in host mode
	Endpoints []endpointRecord
	Published []netdproto.Port // as they were bound
	Ports     []portRecord     // which container port each of Published is for
}

// portRecord goes with the entry of Published at the same place.
type portRecord struct{ Container apinet.Port }

// endpointRecord is one interface of a container.
type endpointRecord struct {
	NetworkID     string
	NetworkName   string
	ContainerName string
	Interface     string // inside: eth0
	HostEnd       string // the other end, on the host
	Settings      *apinet.EndpointSettings
}

// network is a network in memory. Manager.mu guards it.
type network struct {
	rec       networkRecord
	subnets   []*ipam.Subnet
	index     int // of the bridge interface
	endpoints map[string]endpointRecord
}

func (n *network) isDefault() bool { return n.rec.Options[optDefault] == "true" }

// named says whether containers on the network have names there.
func (n *network) named() bool { return n.rec.Driver == driverBridge && !n.isDefault() }

func (n *network) bridge() string {
	if name := n.rec.Options[optBridgeName]; name != "" {
		return name
	}
	return "br-" + n.rec.ID[:12]
}

func (n *network) mtu() int {
	mtu, _ := strconv.Atoi(n.rec.Options[optMTU]) // checked when the network was made
	return mtu
}

// option reads a boolean option.
func (n *network) option(key string, otherwise bool) bool {
	if v, err := strconv.ParseBool(n.rec.Options[key]); err == nil {
		return v
	}
	return otherwise
}

// gateways are the bridge's own addresses, with the length of their subnet.
func (n *network) gateways() []netip.Prefix {
	var out []netip.Prefix
	for _, c := range n.rec.IPAM.Config {
		if c.Gateway.IsValid() && !n.bare(c.Gateway.Is6()) {
			out = append(out, netip.PrefixFrom(c.Gateway, c.Subnet.Bits()))
		}
	}
	return out
}

// gateway is the bridge's address of a family, or invalid. It is no way out of an internal network.
func (n *network) gateway(v6 bool) netip.Addr {
	for _, c := range n.rec.IPAM.Config {
		if c.Gateway.IsValid() && c.Gateway.Is6() == v6 {
			return c.Gateway
		}
	}
	return netip.Addr{}
}

// subnet is the first subnet of a family, or nil.
func (n *network) subnet(v6 bool) *ipam.Subnet {
	for _, s := range n.subnets {
		if s.Prefix().Addr().Is6() == v6 {
			return s
		}
	}
	return nil
}

// buildSubnets makes the address books from the record.
func (n *network) buildSubnets() error {
	n.subnets = nil
	if n.rec.ConfigOnly {
		return nil
	}
	for _, c := range n.rec.IPAM.Config {
		s, err := ipam.NewSubnet(c.Subnet, c.IPRange)
		if err != nil {
			return err
		}
		if c.Gateway.IsValid() {
			s.Reserve(c.Gateway)
		}
		for _, aux := range c.AuxAddress {
			s.Reserve(aux)
		}
		n.subnets = append(n.subnets, s)
	}
	return nil
}

// release gives an endpoint's addresses back.
func (n *network) release(es *apinet.EndpointSettings) {
	for _, s := range n.subnets {
		s.Release(es.IPAddress)
		s.Release(es.GlobalIPv6Address)
	}
}
