//go:build linux

package network

import (
	"maps"
	"slices"
	"time"

	apinet "github.com/moby/moby/api/types/network"

	"github.com/berthhq/berth/internal/errdefs"
)

// A configuration-only network has no interface and no containers: others are made from it. Its driver is "null", as
// in docker, and its subnets are taken by those made from it alone.

// checkConfiguration refuses what does not go with a configuration-only network, or with one made from such.
func checkConfiguration(req *apinet.CreateRequest) error {
	from := req.ConfigFrom != nil && req.ConfigFrom.Network != ""
	switch {
	case req.ConfigOnly && (req.Ingress || req.Internal || req.Attachable || req.Scope != ""):
		return errdefs.Forbidden("configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.")
	case !from:
		return nil
	case req.ConfigOnly:
		return errdefs.Forbidden("a configuration network cannot depend on another configuration network")
	case setsConfiguration(req):
		return errdefs.Forbidden("user specified configurations are not supported if the network depends on a configuration network")
	case len(req.Options) > 0:
		return errdefs.Forbidden("network driver options are not supported if the network depends on a configuration network")
	}
	return nil
}

// setsConfiguration says whether a request has anything of what a configuration-only network gives.
func setsConfiguration(req *apinet.CreateRequest) bool {
	if (req.EnableIPv4 != nil && !*req.EnableIPv4) || (req.EnableIPv6 != nil && *req.EnableIPv6) || len(req.Labels) > 0 {
		return true
	}
	i := req.IPAM
	return i != nil && ((i.Driver != "" && i.Driver != "default") || len(i.Options) > 0 || len(i.Config) > 0)
}

// configured is a request with what the configuration-only network that it names has for it.
func (m *Manager) configured(req *apinet.CreateRequest) (*apinet.CreateRequest, error) {
	if req.ConfigFrom == nil || req.ConfigFrom.Network == "" {
		return req, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.networks {
		if !n.rec.ConfigOnly || n.rec.Name != req.ConfigFrom.Network {
			continue
		}
		c, out := n.public(), *req
		out.EnableIPv4, out.EnableIPv6, out.IPAM, out.Options, out.Labels = &c.EnableIPv4, &c.EnableIPv6, &c.IPAM, c.Options, c.Labels
		return &out, nil
	}
	return nil, errdefs.NotFound("configuration network %q does not exist", req.ConfigFrom.Network)
}

// configOnly is the record of a configuration-only network: what was asked for, as it was.
func (m *Manager) configOnly(req *apinet.CreateRequest) (networkRecord, error) {
	rec := networkRecord{Network: apinet.Network{Name: req.Name, ID: newID(), Created: time.Now().UTC(), Scope: "local", Driver: driverNull, ConfigOnly: true,
		EnableIPv4: req.EnableIPv4 == nil || *req.EnableIPv4, EnableIPv6: req.EnableIPv6 != nil && *req.EnableIPv6,
		IPAM: apinet.IPAM{Driver: "default"}, Options: orEmpty(req.Options), Labels: orEmpty(req.Labels)}}
	if req.IPAM == nil {
		return rec, nil
	}
	rec.IPAM.Options = maps.Clone(req.IPAM.Options)
	rec.IPAM.Config = slices.Clone(req.IPAM.Config)
	for _, c := range rec.IPAM.Config {
		if c.Subnet.IsValid() {
			if err := checkRange(c); err != nil {
				return rec, err
			}
		}
	}
	return rec, nil
}

// configUser is the name of a network made from a configuration-only one, or empty. The caller holds mu.
func (m *Manager) configUser(name string) string {
	for _, n := range m.networks {
		if n.rec.ConfigFrom.Network == name {
			return n.rec.Name
		}
	}
	return ""
}

// orEmpty is a copy of a map; clients are never told null.
func orEmpty(in map[string]string) map[string]string {
	if in == nil {
		return map[string]string{}
	}
	return maps.Clone(in)
}
