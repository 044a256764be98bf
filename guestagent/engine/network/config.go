package network

import (
	"context"
	"log/slog"
	"net/netip"

	"github.com/berthhq/berth/guestagent/engine/network/ipam"
	"github.com/berthhq/berth/internal/agentapi"
)

// Config is the network part of the engine's configuration; the names in the comments are docker's keys. The zero
// value is docker's default in everything.
type Config struct {
	Bridge        string       // bridge: an interface to use instead of one of our own; "none": no default network
	BIP           netip.Prefix // bip
	FixedCIDR     netip.Prefix // fixed-cidr
	FixedCIDRv6   netip.Prefix // fixed-cidr-v6
	Pools         []ipam.Pool  // default-address-pools
	MTU           int          // mtu; 0: the kernel's default
	DNS           []netip.Addr // dns
	DNSSearch     []string     // dns-search
	DNSOptions    []string     // dns-opts
	HostBinding   netip.Addr   // ip: where ports are published that name no address; invalid: 0.0.0.0 and [::]
	HostGateways  []netip.Addr // host-gateway-ips
	IPv6          bool         // ipv6, of the default network
	NoICC         bool         // icc=false, of the default network
	NoMasquerade  bool         // ip-masq=false, of the default network
	NoRules       bool         // iptables=false: no packet rules of ours at all
	NoForwarding  bool         // ip-forward=false
	NoPortProxy   bool         // userland-proxy=false: published ports answer at 0.0.0.0 only where no address is named
	NoPrepared    bool         // not docker's: keep no namespaces ready for the next containers
	NetdPath      string       // the program berth-netd; empty: beside the engine's own
	HostResolv    string       // the host's resolv.conf; empty: /etc/resolv.conf
	HostHostsFile string       // the host's hosts file; empty: /etc/hosts
	Host          Host         // the computer around this virtual machine; nil: there is none
	Log           *slog.Logger // what goes wrong while nobody asks; nil: told to nobody
}

// Names of network options that we act on; docker's own.
const (
	optBridgeName  = "com.docker.network.bridge.name"
	optDefault     = "com.docker.network.bridge.default_bridge"
	optICC         = "com.docker.network.bridge.enable_icc"
	optMasquerade  = "com.docker.network.bridge.enable_ip_masquerade"
	optHostBinding = "com.docker.network.bridge.host_binding_ipv4"
	optMTU         = "com.docker.network.driver.mtu"
)

// Driver names.
const (
	driverBridge = "bridge"
	driverHost   = "host"
	driverNull   = "null"
)

// Host is the computer around the virtual machine that this engine runs in: it listens where the engine, natively, would.
type Host interface {
	Open(ctx context.Context, p agentapi.Publish) error
	Close(ctx context.Context, p agentapi.Publish) error
}
