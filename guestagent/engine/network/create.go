//go:build linux

package network

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"regexp"
	"strconv"
	"time"

	apinet "github.com/moby/moby/api/types/network"

	"github.com/berthhq/berth/guestagent/engine/network/ipam"
	"github.com/berthhq/berth/guestagent/engine/network/netns"
	"github.com/berthhq/berth/internal/errdefs"
)

// NetworkCreate makes a user's bridge network.
func (m *Manager) NetworkCreate(ctx context.Context, req *apinet.CreateRequest) (apinet.CreateResponse, error) {
	m.netMu.Lock()
	defer m.netMu.Unlock()
	rec, err := m.newNetwork(req)
	if err != nil {
		return apinet.CreateResponse{}, err
	}
	n := &network{rec: rec, endpoints: map[string]endpointRecord{}}
	if err := n.buildSubnets(); err != nil {
		return apinet.CreateResponse{}, errdefs.Invalid("%w", err)
	}
	if err := m.nets.Put(rec.ID, rec); err != nil {
		return apinet.CreateResponse{}, err
	}
	if err := m.raise(ctx, n); err != nil {
		return apinet.CreateResponse{}, errors.Join(err, m.nets.Delete(rec.ID))
	}
	m.mu.Lock()
	m.networks[rec.ID] = n
	m.mu.Unlock()
	m.publishEvent("create", rec.ID, rec.Name, nil)
	return apinet.CreateResponse{ID: rec.ID}, nil
}

// raise makes a network's bridge and rules, or nothing.
func (m *Manager) raise(ctx context.Context, n *network) error {
	if n.rec.ConfigOnly {
		return nil
	}
	if n.rec.EnableIPv6 && !m.cfg.NoForwarding {
		if err := netns.EnableForwarding(true); err != nil {
			return err
		}
	}
	if err := m.ensureBridge(n); err != nil {
		return errors.Join(err, netns.DeleteLink(n.bridge()))
	}
	if err := m.withRules(func() error { return m.rules.AddBridge(n.nftBridge()) }); err != nil {
		return errors.Join(err, netns.DeleteLink(n.bridge()))
	}
	if err := m.wall.Bind(ctx, n.bridge()); err != nil {
		return errors.Join(err, m.lower(ctx, n))
	}
	return nil
}

// newNetwork checks a request and turns it into a record.
func (m *Manager) newNetwork(req *apinet.CreateRequest) (networkRecord, error) {
	if err := m.checkCreate(req); err != nil {
		return networkRecord{}, err
	}
	if req.ConfigOnly {
		return m.configOnly(req)
	}
	req, err := m.configured(req)
	if err != nil {
		return networkRecord{}, err
	}
	rec := networkRecord{Network: apinet.Network{Name: req.Name, ID: newID(), Created: time.Now().UTC(), Scope: "local", Driver: driverBridge,
		Internal: req.Internal, Attachable: req.Attachable, Options: orEmpty(req.Options), Labels: orEmpty(req.Labels)}}
	if req.ConfigFrom != nil {
		rec.ConfigFrom = *req.ConfigFrom
	}
	if err := enableFamilies(&rec, req); err != nil {
		return rec, err
	}
	if err := checkModes(&network{rec: rec}); err != nil {
		return rec, err
	}
	if m.cfg.MTU > 0 && rec.Options[optMTU] == "" {
		rec.Options[optMTU] = strconv.Itoa(m.cfg.MTU)
	}
	if err := m.newIPAM(&rec, req.IPAM); err != nil {
		return rec, err
	}
	return rec, m.checkOptions(&network{rec: rec})
}

// notManager is what dockerd says of networks that need a swarm.
const notManager = `This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.`

// validName is docker's rule for names of objects.
var validName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

func (m *Manager) checkCreate(req *apinet.CreateRequest) error {
	switch {
	case req.Name == apinet.NetworkBridge, req.Name == apinet.NetworkHost, req.Name == apinet.NetworkNone, req.Name == apinet.NetworkDefault:
		return errdefs.Forbidden("operation is not permitted on predefined %s network", req.Name)
	case !validName.MatchString(req.Name):
		return errdefs.Invalid("invalid network name %q, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed", req.Name)
	case req.Driver == "overlay":
		return errdefs.Forbidden("%s", notManager)
	}
	if err := m.checkFree(req.Name); err != nil {
		return err
	}
	if err := checkConfiguration(req); err != nil || req.ConfigOnly {
		return err
	}
	switch {
	case req.Driver == driverHost, req.Driver == driverNull:
		return errdefs.Forbidden("only one instance of %q network is allowed", req.Driver)
	case req.Ingress:
		return errdefs.Forbidden("Ingress network can only be global scope network")
	case req.Driver != "" && req.Driver != apinet.NetworkDefault && req.Driver != driverBridge:
		return errdefs.NotFound("plugin %q not found", req.Driver)
	case req.Scope != "" && req.Scope != "local":
		return errdefs.Forbidden("this node is not a swarm manager: networks of scope %q do not exist here", req.Scope)
	case req.IPAM != nil && req.IPAM.Driver != "" && req.IPAM.Driver != "default":
		return errdefs.NotFound("plugin %q not found", req.IPAM.Driver)
	}
	return nil
}

// checkFree refuses a name that a network has.
func (m *Manager) checkFree(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.networks {
		if n.rec.Name == name {
			return errdefs.Conflict("network with name %s already exists", name)
		}
	}
	return nil
}

// newIPAM takes the subnets that were asked for and finds those that were not.
func (m *Manager) newIPAM(rec *networkRecord, want *apinet.IPAM) error {
	rec.IPAM = apinet.IPAM{Driver: "default"} // no options are null, none that were sent {}
	has := map[bool]bool{}
	if want != nil {
		if want.Options != nil {
			rec.IPAM.Options = maps.Clone(want.Options)
		}
		for _, c := range want.Config {
			if !c.Subnet.IsValid() {
				if c.IPRange.IsValid() || c.Gateway.IsValid() || len(c.AuxAddress) > 0 {
					return errdefs.Invalid("invalid network config:\ninvalid subnet: a subnet is needed with an ip-range, gateway or auxiliary address")
				}
				continue
			}
			if err := m.checkSubnet(c, rec.IPAM.Config); err != nil {
				return err
			}
			c.Subnet = c.Subnet.Masked()
			has[c.Subnet.Addr().Is6()] = true
			rec.IPAM.Config = append(rec.IPAM.Config, rec.withGateway(c))
		}
	}
	rec.EnableIPv6 = rec.EnableIPv6 || has[true]
	for _, v6 := range []bool{false, true} {
		if (v6 && !rec.EnableIPv6) || (!v6 && !rec.EnableIPv4) || has[v6] {
			continue
		}
		sub, err := m.pickSubnet(v6, "")
		if err != nil {
			return err
		}
		rec.ChosenSubnet = rec.ChosenSubnet || !v6
		rec.IPAM.Config = append(rec.IPAM.Config, rec.withGateway(apinet.IPAMConfig{Subnet: sub}))
	}
	if len(rec.IPAM.Config) == 0 {
		return errdefs.Invalid("IPv4 or IPv6 must be enabled")
	}
	return nil
}

// withGateway gives a subnet its first address as gateway, or the first of its ip-range.
func (rec *networkRecord) withGateway(c apinet.IPAMConfig) apinet.IPAMConfig {
	if c.Gateway.IsValid() || (&network{rec: *rec}).noGateway(c.Subnet.Addr().Is6()) {
		return c
	}
	base := c.Subnet.Addr()
	if c.IPRange.IsValid() {
		base = c.IPRange.Masked().Addr()
		if base != c.Subnet.Addr() {
			c.Gateway = base
			return c
		}
	}
	c.Gateway = base.Next()
	return c
}

func (m *Manager) checkSubnet(c apinet.IPAMConfig, own []apinet.IPAMConfig) error {
	if err := checkRange(c); err != nil {
		return err
	}
	taken := m.subnetsInUse("")
	for _, o := range own {
		taken = append(taken, o.Subnet)
	}
	if ipam.Overlapping(c.Subnet, taken) != nil {
		return errdefs.Forbidden("%w", ipam.ErrOverlap)
	}
	return nil
}

// checkRange refuses a subnet whose parts do not go together.
func checkRange(c apinet.IPAMConfig) error {
	if c.Subnet.Masked() != c.Subnet {
		return errdefs.Invalid("invalid network config:\ninvalid subnet %s: it should be %s", c.Subnet, c.Subnet.Masked())
	}
	if c.Gateway.IsValid() && !c.Subnet.Contains(c.Gateway) {
		return errdefs.Invalid("invalid network config:\ninvalid gateway %s: parent subnet %s doesn't contain this address", c.Gateway, c.Subnet)
	}
	if c.IPRange.IsValid() && (!c.Subnet.Contains(c.IPRange.Addr()) || c.IPRange.Bits() < c.Subnet.Bits()) {
		return errdefs.Invalid("invalid network config:\ninvalid ip-range %s: it should be within subnet %s", c.IPRange, c.Subnet)
	}
	for name, a := range c.AuxAddress {
		if !c.Subnet.Contains(a) {
			return errdefs.Invalid("invalid network config:\ninvalid auxiliary address %s (%s): parent subnet %s doesn't contain it", a, name, c.Subnet)
		}
	}
	return nil
}

// maxInterfaceName is the kernel's limit (IFNAMSIZ without the final zero).
const maxInterfaceName = 15

// checkOptions refuses values that would only fail later.
func (m *Manager) checkOptions(n *network) error {
	o := n.rec.Options
	if v := o[optMTU]; v != "" {
		if mtu, err := strconv.Atoi(v); err != nil || mtu < 0 || mtu > 65535 {
			return errdefs.Invalid("failed to parse %s value: %q", optMTU, v)
		}
	}
	for _, key := range []string{optICC, optMasquerade} {
		if v := o[key]; v != "" {
			if _, err := strconv.ParseBool(v); err != nil {
				return errdefs.Invalid("failed to parse %s value: %q", key, v)
			}
		}
	}
	if v := o[optHostBinding]; v != "" {
		if _, err := netip.ParseAddr(v); err != nil {
			return errdefs.Invalid("failed to parse %s value: %q", optHostBinding, v)
		}
	}
	if len(n.bridge()) > maxInterfaceName {
		return errdefs.Invalid("bridge name %q is longer than %d characters", n.bridge(), maxInterfaceName)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, other := range m.networks {
		if other.rec.Driver == driverBridge && other.bridge() == n.bridge() {
			return errdefs.Forbidden("network %s (%s): conflicts with network %s (%s): networks have same bridge name",
				n.rec.ID, n.bridge(), other.rec.ID, other.bridge())
		}
	}
	return nil
}
