//go:build linux

package network

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"path/filepath"
	"slices"

	apinet "github.com/moby/moby/api/types/network"

	"github.com/berthhq/berth/guestagent/engine/network/netns"
	"github.com/berthhq/berth/internal/errdefs"
)

// Attach makes a container's network: namespace, interfaces, addresses, routes, published ports, names and the files
// bound over those of its image. It is all there when Attach returns without an error, and nothing of it otherwise. What
// an earlier Attach of the same container left is taken away first.
func (m *Manager) Attach(ctx context.Context, cfg SandboxConfig) (*Sandbox, error) {
	m.locks.Lock(cfg.ContainerID)
	defer m.locks.Unlock(cfg.ContainerID)
	if err := m.detach(ctx, cfg.ContainerID); err != nil {
		return nil, err
	}
	rec, err := m.plan(cfg)
	if err != nil {
		return nil, err
	}
	if err := m.build(ctx, rec); err != nil {
		return nil, errors.Join(err, m.tearDown(context.WithoutCancel(ctx), rec))
	}
	for _, ep := range rec.told() {
		m.publishEvent("connect", ep.NetworkID, ep.NetworkName, map[string]string{"container": cfg.ContainerID})
	}
	return m.sandbox(rec), nil
}

// told are the endpoints that events speak of.
func (rec *sandboxRecord) told() []endpointRecord {
	if rec.Config.Quiet {
		return nil
	}
	return rec.Endpoints
}

// build makes what plan decided and records it. The files are written meanwhile.
func (m *Manager) build(ctx context.Context, rec *sandboxRecord) error {
	files, err := m.files(rec)
	if err != nil {
		return err
	}
	written := make(chan error, 1)
	go func() { written <- m.writeFiles(rec.Config, files) }()
	if rec.NetNS != "" {
		err = m.plugAll(rec)
	}
	if err == nil {
		err = m.serve(ctx, nil, rec)
	}
	if err = errors.Join(err, <-written); err != nil {
		return err
	}
	return m.keep(rec)
}

// keep records a sandbox and takes it into memory.
func (m *Manager) keep(rec *sandboxRecord) error {
	id := rec.Config.ContainerID
	if err := m.boxes.Put(id, *rec); err != nil {
		return fmt.Errorf("recording the network of container %s: %w", id, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sandboxes[id] = rec
	for _, ep := range rec.Endpoints {
		if n := m.networks[ep.NetworkID]; n != nil {
			n.endpoints[id] = ep
		}
	}
	return nil
}

// plan decides networks, interfaces and addresses, and takes the addresses.
func (m *Manager) plan(cfg SandboxConfig) (_ *sandboxRecord, err error) {
	rec := &sandboxRecord{Config: cfg}
	m.mu.Lock()
	defer m.mu.Unlock()
	nets, wants, err := m.wanted(cfg)
	if err != nil {
		return nil, err
	}
	if nets[0].rec.Driver != driverHost {
		rec.NetNS = filepath.Join(m.layout.NetNS(), cfg.ContainerID)
	}
	defer func() {
		if err != nil {
			m.releaseLocked(rec)
		}
	}()
	names, err := interfaceNames(nets, wants)
	if err != nil {
		return nil, err
	}
	for i, n := range nets {
		want := wants[n.rec.ID]
		if i == 0 && len(want.MacAddress) == 0 && cfg.MacAddress != "" {
			mac, err := net.ParseMAC(cfg.MacAddress)
			if err != nil {
				return nil, errdefs.Invalid("invalid MAC address: %s", cfg.MacAddress)
			}
			want.MacAddress = apinet.HardwareAddr(mac)
		}
		ep, err := m.newEndpoint(n, cfg, want, names[n.rec.ID])
		if err != nil {
			return nil, err
		}
		rec.Endpoints = append(rec.Endpoints, ep)
		n.endpoints[cfg.ContainerID] = ep // the network is in use from now on
	}
	return rec, nil
}

// wanted lists the networks of a container, Mode's first and the others by name, with the settings asked for by ID. As
// for dockerd, endpoints that are named take the default bridge's place.
func (m *Manager) wanted(cfg SandboxConfig) ([]*network, map[string]*apinet.EndpointSettings, error) {
	mode := cfg.Mode
	if mode == "" || mode == apinet.NetworkDefault {
		mode = apinet.NetworkBridge
	}
	first, err := m.find(mode)
	if err != nil {
		return nil, nil, err
	}
	wants := map[string]*apinet.EndpointSettings{first.rec.ID: {}}
	nets := []*network{first}
	if replaced(cfg.Endpoints, first) {
		nets = nil
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Endpoints)) {
		es := cfg.Endpoints[name]
		if name == apinet.NetworkDefault {
			name = mode
		}
		n, err := m.find(name)
		if err != nil && es != nil && es.NetworkID != "" {
			n, err = m.find(es.NetworkID)
		}
		if err != nil {
			return nil, nil, err
		}
		if es != nil {
			wants[n.rec.ID] = es.Copy()
		} else if wants[n.rec.ID] == nil {
			wants[n.rec.ID] = &apinet.EndpointSettings{}
		}
		if n != first {
			nets = append(nets, n)
		}
	}
	if len(nets) > 1 && first.rec.Driver != driverBridge {
		return nil, nil, errdefs.Forbidden("container cannot be connected to multiple networks with one of the networks in private (%s) mode", first.rec.Name)
	}
	return nets, wants, nil
}

// replaced says whether the endpoints that are named leave out the default bridge.
func replaced(endpoints map[string]*apinet.EndpointSettings, first *network) bool {
	if !first.isDefault() || len(endpoints) == 0 {
		return false
	}
	for _, name := range []string{first.rec.Name, first.rec.ID, apinet.NetworkDefault} {
		if _, ok := endpoints[name]; ok {
			return false
		}
	}
	return true
}

// plugAll makes the namespace and everything in it, or takes one that is prepared.
func (m *Manager) plugAll(rec *sandboxRecord) error {
	ports := make([]netns.Port, 0, len(rec.Endpoints))
	for _, ep := range rec.Endpoints {
		if p, ok := m.port(ep); ok {
			ports = append(ports, p)
		}
	}
	ids := rec.Config.IDs
	if ids.Empty() && len(ports) == 1 && plain(ports[0]) {
		if pr := m.pool.take(); pr != nil {
			return m.plugPrepared(rec, pr, ports[0])
		}
	}
	furnish := func() error {
		n, err := netns.Current(m.host)
		if err != nil {
			return err
		}
		defer n.Close()
		if err := n.LoopbackUp(); err != nil {
			return err
		}
		for _, p := range ports {
			if err := n.Plug(p); err != nil {
				return err
			}
		}
		return m.reroute(n, rec)
	}
	if !ids.Empty() {
		return netns.CreateOwned(rec.NetNS, ids, furnish)
	}
	return netns.Create(rec.NetNS, furnish)
}

// plain says whether a port can be finished from outside of its namespace.
func plain(p netns.Port) bool {
	if p.Name != preparedName || len(p.Sysctls) > 0 {
		return false
	}
	for _, a := range p.Addresses {
		if a.Addr().Is6() {
			return false
		}
	}
	return true
}

// plugPrepared finishes a prepared namespace for a sandbox.
func (m *Manager) plugPrepared(rec *sandboxRecord, pr *prepared, p netns.Port) error {
	defer pr.ns.Close()
	rec.NetNS, rec.Endpoints[0].HostEnd = pr.path, pr.hostName // tearDown removes them, whatever happens
	p.HostName = pr.hostName
	if err := pr.ns.Activate(pr.pair, p); err != nil {
		return err
	}
	return m.reroute(pr.ns, rec)
}

// port is an endpoint in the terms of package netns; ok is false where there is no interface to make.
func (m *Manager) port(ep endpointRecord) (p netns.Port, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.networks[ep.NetworkID]
	if n == nil || n.rec.Driver != driverBridge {
		return p, false
	}
	p = netns.Port{HostName: ep.HostEnd, Name: ep.Interface, Bridge: n.index, MAC: net.HardwareAddr(ep.Settings.MacAddress),
		MTU: n.mtu(), Isolated: !n.option(optICC, true)}
	es := ep.Settings
	if es.IPAddress.IsValid() {
		p.Addresses = append(p.Addresses, netip.PrefixFrom(es.IPAddress, es.IPPrefixLen))
	}
	if es.GlobalIPv6Address.IsValid() {
		p.Addresses = append(p.Addresses, netip.PrefixFrom(es.GlobalIPv6Address, es.GlobalIPv6PrefixLen))
	}
	local, _ := linkLocals(es) // both are checked when the endpoint is made
	p.Sysctls, _ = endpointSysctls(es)
	p.Addresses = append(p.Addresses, local...)
	return p, true
}

// sandbox is a record as others see it.
func (m *Manager) sandbox(rec *sandboxRecord) *Sandbox {
	s := &Sandbox{Key: rec.NetNS, Endpoints: map[string]*apinet.EndpointSettings{}, Ports: rec.portMap()}
	for _, ep := range rec.Endpoints {
		s.Endpoints[ep.NetworkName] = ep.Settings.Copy()
	}
	return s
}

// Sandbox tells how a container's network stands, or fails with NotFound.
func (m *Manager) Sandbox(containerID string) (*Sandbox, error) {
	rec := m.record(containerID)
	if rec == nil {
		return nil, errdefs.NotFound("container %s has no network", containerID)
	}
	return m.sandbox(rec), nil
}

// NetworkID is the ID of the network that a name or the beginning of an ID means, "" where there is none.
func (m *Manager) NetworkID(ref string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(ref)
	if err != nil {
		return ""
	}
	return n.rec.ID
}

// record gives a container's record, or nil. It is replaced, never changed.
func (m *Manager) record(containerID string) *sandboxRecord {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sandboxes[containerID]
}

func (m *Manager) publishEvent(action, networkID, name string, attrs map[string]string) {
	if m.bus == nil {
		return
	}
	if attrs == nil {
		attrs = map[string]string{}
	}
	m.mu.Lock()
	driver := driverBridge
	if n := m.networks[networkID]; n != nil {
		driver = n.rec.Driver
	}
	m.mu.Unlock()
	attrs["name"], attrs["type"] = name, driver
	m.bus.Publish("network", action, networkID, attrs)
}
