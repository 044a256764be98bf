//go:build linux

package network

import (
	"crypto/sha256"
	"net/netip"
	"strconv"
	"time"

	apinet "github.com/moby/moby/api/types/network"

	"github.com/berthhq/berth/guestagent/engine/network/ipam"
	"github.com/berthhq/berth/guestagent/engine/network/netns"
	"github.com/berthhq/berth/guestagent/engine/network/nft"
	"github.com/berthhq/berth/internal/errdefs"
)

// ensurePredefined makes the networks that every engine has: bridge, host and none. Options of the default bridge come
// from the configuration at every start; its subnet stays unless the configuration names one.
func (m *Manager) ensurePredefined() error {
	have := map[string]*network{}
	for _, n := range m.networks {
		have[n.rec.Name] = n
	}
	for name, driver := range map[string]string{apinet.NetworkHost: driverHost, apinet.NetworkNone: driverNull} {
		if have[name] != nil {
			continue
		}
		rec := networkRecord{Network: apinet.Network{Name: name, ID: newID(), Created: time.Now(), Scope: "local", Driver: driver,
			EnableIPv4: true, IPAM: apinet.IPAM{Driver: "default"}, Options: map[string]string{}, Labels: map[string]string{}}}
		if err := m.remember(rec); err != nil {
			return err
		}
	}
	if m.cfg.Bridge == "none" {
		if n := have[apinet.NetworkBridge]; n != nil {
			delete(m.networks, n.rec.ID)
			return m.nets.Delete(n.rec.ID)
		}
		return nil
	}
	return m.ensureDefaultBridge(have[apinet.NetworkBridge])
}

func (m *Manager) ensureDefaultBridge(old *network) error {
	rec := networkRecord{Network: apinet.Network{Name: apinet.NetworkBridge, ID: newID(), Created: time.Now(), Scope: "local",
		Driver: driverBridge, EnableIPv4: true, Labels: map[string]string{}}, ChosenSubnet: true}
	if old != nil {
		rec = old.rec
	}
	rec.EnableIPv6 = m.cfg.IPv6
	rec.Options = m.defaultOptions()
	configs, err := m.defaultIPAM(rec)
	if err != nil {
		return err
	}
	rec.IPAM = apinet.IPAM{Driver: "default", Config: configs}
	return m.remember(rec)
}

func (m *Manager) defaultOptions() map[string]string {
	o := map[string]string{
		optDefault: "true", optBridgeName: m.defaultBridge(), optICC: strconv.FormatBool(!m.cfg.NoICC),
		optMasquerade: strconv.FormatBool(!m.cfg.NoMasquerade), optHostBinding: "0.0.0.0", optMTU: "1500",
	}
	if m.cfg.HostBinding.IsValid() {
		o[optHostBinding] = m.cfg.HostBinding.String()
	}
	if m.cfg.MTU > 0 {
		o[optMTU] = strconv.Itoa(m.cfg.MTU)
	}
	return o
}

// defaultIPAM decides the default bridge's subnets: what is configured, else what it had, else a free one.
func (m *Manager) defaultIPAM(rec networkRecord) ([]apinet.IPAMConfig, error) {
	four, six := subnetOf(rec.IPAM.Config, false), subnetOf(rec.IPAM.Config, true)
	if m.cfg.BIP.IsValid() {
		four = &apinet.IPAMConfig{Subnet: m.cfg.BIP.Masked(), Gateway: m.cfg.BIP.Addr()}
	} else if own := netns.Address(m.cfg.Bridge); own.IsValid() { // a bridge that somebody else set up
		four = &apinet.IPAMConfig{Subnet: own.Masked(), Gateway: own.Addr()}
	}
	if four == nil {
		sub, err := m.pickSubnet(false, rec.ID)
		if err != nil {
			return nil, err
		}
		four = &apinet.IPAMConfig{Subnet: sub, Gateway: sub.Addr().Next()}
	}
	four.IPRange = m.cfg.FixedCIDR
	if m.cfg.FixedCIDR.IsValid() && !four.Subnet.Overlaps(m.cfg.FixedCIDR) {
		return nil, errdefs.Invalid("fixed-cidr %s is not within the bridge's subnet %s", m.cfg.FixedCIDR, four.Subnet)
	}
	if !m.cfg.IPv6 {
		return []apinet.IPAMConfig{*four}, nil
	}
	if m.cfg.FixedCIDRv6.IsValid() {
		sub := m.cfg.FixedCIDRv6.Masked()
		six = &apinet.IPAMConfig{Subnet: sub, Gateway: sub.Addr().Next()}
	}
	if six == nil {
		sub, err := m.pickSubnet(true, rec.ID)
		if err != nil {
			return nil, err
		}
		six = &apinet.IPAMConfig{Subnet: sub, Gateway: sub.Addr().Next()}
	}
	return []apinet.IPAMConfig{*four, *six}, nil
}

func subnetOf(configs []apinet.IPAMConfig, v6 bool) *apinet.IPAMConfig {
	for _, c := range configs {
		if c.Subnet.Addr().Is6() == v6 {
			return &c
		}
	}
	return nil
}

// pickSubnet finds a subnet that neither a network of ours nor a route of the host uses. except is a network's ID that
// does not count.
func (m *Manager) pickSubnet(v6 bool, except string) (netip.Prefix, error) {
	taken, err := netns.Routes()
	if err != nil {
		return netip.Prefix{}, err
	}
	pools := m.cfg.Pools
	if v6 {
		sum := sha256.Sum256([]byte(m.tag + m.layout.Root))
		pools = append(pools[:len(pools):len(pools)], ipam.ULAPool([5]byte(sum[:5])))
	}
	sub, err := ipam.PickSubnet(pools, v6, append(taken, m.subnetsInUse(except)...))
	if err != nil {
		return sub, errdefs.System("%w", err).WithHint("remove networks that are not used (berth network prune), or set default-address-pools")
	}
	return sub, nil
}

func (m *Manager) subnetsInUse(except string) (out []netip.Prefix) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.networks {
		for _, c := range n.rec.IPAM.Config {
			if n.rec.ID != except && !n.rec.ConfigOnly {
				out = append(out, c.Subnet)
			}
		}
	}
	return out
}

// remember records a network and takes it into memory.
func (m *Manager) remember(rec networkRecord) error {
	if err := m.nets.Put(rec.ID, rec); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.networks[rec.ID] = &network{rec: rec, endpoints: map[string]endpointRecord{}}
	return nil
}

// ensureBridge makes the interface of a bridge network.
func (m *Manager) ensureBridge(n *network) (err error) {
	if n.rec.Driver != driverBridge {
		return nil
	}
	b := netns.Bridge{Name: n.bridge(), MTU: n.mtu(), Addresses: n.gateways(), Alias: m.tag + ":" + n.rec.ID, NoIPv6: n.bare(true)}
	n.index, err = netns.EnsureBridge(b)
	return err
}

func (n *network) nftBridge() nft.Bridge {
	var subnets []netip.Prefix
	for _, c := range n.rec.IPAM.Config {
		subnets = append(subnets, c.Subnet)
	}
	return nft.Bridge{Name: n.bridge(), Subnets: subnets, Internal: n.rec.Internal, Masquerade: n.option(optMasquerade, true), ICC: n.option(optICC, true)}
}
