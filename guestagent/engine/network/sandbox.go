// Package network gives containers their networks: networks and addresses, veth pairs, nftables rules in a table of our
// own, published ports, names, and the hosts and resolv.conf files. It knows nothing of containers but what a
// SandboxConfig says. Its lock order stands in manager.go.
package network

import (
	"net/netip"

	apinet "github.com/moby/moby/api/types/network"
	"github.com/moby/sys/user"
)

// SandboxConfig is all that the network needs to know of a container to connect it.
type SandboxConfig struct {
	ContainerID string
	Name        string // the container's name, without a slash; a DNS name on user networks
	Hostname    string
	Domainname  string
	// Mode is "bridge", "none", "host" or a network's name or ID; "default" is "bridge". Containers that share another's
	// namespace ("container:…") never get here: the container package hands them the other's sandbox.
	Mode string
	// Endpoints are the requested settings by network name or ID; Mode's own network may be missing from it.
	Endpoints map[string]*apinet.EndpointSettings

	ExposedPorts apinet.PortSet
	PortBindings apinet.PortMap
	PublishAll   bool

	ExtraHosts            []string // "name:address", the address may be "host-gateway"
	DNS                   []netip.Addr
	DNSSearch, DNSOptions []string
	Links                 []Link // legacy links, for the hosts file and for the network's aliases
	// Quiet keeps the sandbox out of the events: it is no container's.
	Quiet bool
	// IDs is the mapping of the container's user namespace, which is made with the network namespace and owns it; empty
	// for none.
	IDs user.IdentityMapping `json:",omitzero"`
	// MacAddress is the legacy container-wide address for Mode's network, or empty.
	MacAddress string
}

// Link is a legacy link (--link): the target's names and addresses, resolved by the container package when it starts.
type Link struct {
	ContainerID string
	Name        string // the target's name
	Alias       string
	Hostname    string
}

// Sandbox is a container's network as it stands.
type Sandbox struct {
	// Key is the path of the network namespace; empty in host mode.
	Key string
	// Endpoints holds the settings with everything the network filled in, by network name.
	Endpoints map[string]*apinet.EndpointSettings
	// Ports says where each exposed port is published; exposed but unpublished ports have a nil binding list.
	Ports apinet.PortMap
}
