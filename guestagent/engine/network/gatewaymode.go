//go:build linux

package network

import (
	"strconv"

	apinet "github.com/moby/moby/api/types/network"

	"github.com/berthhq/berth/internal/errdefs"
)

// Options on how a network and the machine are connected; docker's own names. Of the gateway modes, nat is how every
// network of ours is.
const (
	optGatewayMode4 = "com.docker.network.bridge.gateway_mode_ipv4"
	optGatewayMode6 = "com.docker.network.bridge.gateway_mode_ipv6"
	optInhibit4     = "com.docker.network.bridge.inhibit_ipv4"
	optHost4        = "com.docker.network.host_ipv4"
	optHost6        = "com.docker.network.host_ipv6"
	optEnable4      = "com.docker.network.enable_ipv4"
	optEnable6      = "com.docker.network.enable_ipv6"
	optIfacePrefix  = "com.docker.network.container_iface_prefix"
)

// checkModes refuses modes that are unknown, and those that would silently be another.
func checkModes(n *network) error {
	o := n.rec.Options
	for _, key := range []string{optGatewayMode4, optGatewayMode6} {
		switch mode := o[key]; mode {
		case "", "nat":
		case "isolated":
			if !n.rec.Internal {
				return errdefs.Invalid("gateway mode 'isolated' can only be used for an internal network")
			}
		case "routed", "nat-unprotected":
			return errdefs.NotImplemented("gateway mode %q is not implemented", mode)
		default:
			return errdefs.Invalid("unknown gateway mode %s", mode)
		}
	}
	for _, key := range []string{optHost4, optHost6} {
		if o[key] != "" {
			return errdefs.NotImplemented("option %s is not implemented", key)
		}
	}
	if v := o[optInhibit4]; v != "" {
		if _, err := strconv.ParseBool(v); err != nil {
			return errdefs.Invalid("failed to parse %s value: %q", optInhibit4, v)
		}
	}
	if p := o[optIfacePrefix]; p != "" && !validInterface(p+"999") {
		return errdefs.Invalid("invalid %s value: %q", optIfacePrefix, p)
	}
	return nil
}

// bare says whether the bridge has no address of a family.
func (n *network) bare(v6 bool) bool {
	if v6 {
		return n.rec.Options[optGatewayMode6] == "isolated"
	}
	return n.rec.Options[optGatewayMode4] == "isolated" || n.option(optInhibit4, false)
}

// noGateway says whether a family has no gateway, so that no address is kept for one.
func (n *network) noGateway(v6 bool) bool { return n.rec.Internal && n.bare(v6) }

// enableFamilies decides which families of addresses a network has; options are asked where the request says nothing.
func enableFamilies(rec *networkRecord, req *apinet.CreateRequest) error {
	rec.EnableIPv4, rec.EnableIPv6 = true, false
	for _, f := range []struct {
		asked *bool
		key   string
		to    *bool
	}{{req.EnableIPv4, optEnable4, &rec.EnableIPv4}, {req.EnableIPv6, optEnable6, &rec.EnableIPv6}} {
		if f.asked != nil {
			*f.to = *f.asked
			delete(rec.Options, f.key) // it would only look wrong
			continue
		}
		v, ok := rec.Options[f.key]
		if !ok {
			continue
		}
		on, err := strconv.ParseBool(v)
		if err != nil {
			return errdefs.Invalid("driver-opt %q is not a valid bool", f.key)
		}
		*f.to = on
	}
	return nil
}

// interfacePrefix begins the names of interfaces on a network.
func (n *network) interfacePrefix() string {
	if p := n.rec.Options[optIfacePrefix]; p != "" {
		return p
	}
	return "eth"
}
