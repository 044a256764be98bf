//go:build linux

package network

import (
	"context"
	"errors"
	"slices"

	apinet "github.com/moby/moby/api/types/network"

	"github.com/berthhq/berth/guestagent/engine/network/netns"
	"github.com/berthhq/berth/internal/errdefs"
)

// Connect gives a running container an interface on one more network. cfg is the container's configuration as it is
// now; its links and names count from here on.
func (m *Manager) Connect(ctx context.Context, containerID, ref string, want *apinet.EndpointSettings, cfg SandboxConfig) error {
	m.locks.Lock(containerID)
	defer m.locks.Unlock(containerID)
	old := m.record(containerID)
	if old == nil {
		return errdefs.NotFound("container %s has no network", containerID)
	}
	cfg.ContainerID = containerID
	next, ep, err := m.planConnect(old, ref, want, cfg)
	if err != nil {
		return err
	}
	undo := func(err error) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if n := m.networks[ep.NetworkID]; n != nil {
			n.release(ep.Settings)
			delete(n.endpoints, containerID)
		}
		return err
	}
	port, hasPort := m.port(ep)
	if hasPort {
		if err := m.inside(next, func(n *netns.Namespace) error { return n.Plug(port) }); err != nil {
			return undo(err)
		}
	}
	if err := m.change(ctx, old, next); err != nil {
		_ = m.inside(next, func(n *netns.Namespace) error { return n.Unplug(ep.Interface) })
		return undo(errors.Join(err, m.change(context.WithoutCancel(ctx), next, old)))
	}
	m.publishEvent("connect", ep.NetworkID, ep.NetworkName, map[string]string{"container": containerID})
	return nil
}

// planConnect decides the new endpoint and takes its addresses.
func (m *Manager) planConnect(old *sandboxRecord, ref string, want *apinet.EndpointSettings, cfg SandboxConfig) (*sandboxRecord, endpointRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(ref)
	if err != nil {
		return nil, endpointRecord{}, err
	}
	if want == nil {
		want = &apinet.EndpointSettings{}
	}
	if err := refuseAddress(n, want); err != nil {
		return nil, endpointRecord{}, err
	}
	if old.NetNS == "" || n.rec.Driver == driverHost {
		return nil, endpointRecord{}, errdefs.Invalid("cannot connect container to host network - container must be created in host network mode")
	}
	taken := map[string]bool{}
	for _, ep := range old.Endpoints {
		if ep.NetworkID == n.rec.ID {
			return nil, endpointRecord{}, errdefs.Forbidden("endpoint with name %s already exists in network %s", cfg.Name, n.rec.Name)
		}
		other := m.networks[ep.NetworkID]
		if n.rec.Driver == driverNull || (other != nil && other.rec.Driver == driverNull) {
			return nil, endpointRecord{}, errdefs.Invalid("container cannot be connected to multiple networks with one of the networks in private (none) mode")
		}
		taken[ep.Interface] = true
	}
	name, err := interfaceName(n, want, taken)
	if err != nil {
		return nil, endpointRecord{}, err
	}
	ep, err := m.newEndpoint(n, cfg, want, name)
	if err != nil {
		return nil, ep, err
	}
	n.endpoints[cfg.ContainerID] = ep
	next := *old
	next.Config = cfg
	next.Endpoints = append(slices.Clone(old.Endpoints), ep)
	return &next, ep, nil
}

// Disconnect takes a running container off a network.
func (m *Manager) Disconnect(ctx context.Context, containerID, ref string, _ bool) error {
	m.locks.Lock(containerID)
	defer m.locks.Unlock(containerID)
	m.mu.Lock()
	n, err := m.find(ref)
	old := m.sandboxes[containerID]
	m.mu.Unlock()
	if err != nil {
		return err
	}
	if old == nil {
		return errdefs.NotFound("container %s has no network", containerID)
	}
	if n.rec.Driver == driverHost || old.NetNS == "" {
		return errdefs.Forbidden("container cannot be disconnected from host network or connected to host network")
	}
	i := slices.IndexFunc(old.Endpoints, func(ep endpointRecord) bool { return ep.NetworkID == n.rec.ID })
	if i < 0 {
		return errdefs.System("container %s is not connected to network %s", containerID, n.rec.Name)
	}
	ep := old.Endpoints[i]
	next := *old
	next.Endpoints = slices.Delete(slices.Clone(old.Endpoints), i, i+1)
	if ep.Interface != "" {
		if err := m.inside(&next, func(n *netns.Namespace) error { return n.Unplug(ep.Interface) }); err != nil {
			return err
		}
	}
	if err := m.change(ctx, old, &next); err != nil {
		return err
	}
	m.mu.Lock()
	n.release(ep.Settings)
	delete(n.endpoints, containerID)
	m.mu.Unlock()
	m.publishEvent("disconnect", ep.NetworkID, ep.NetworkName, map[string]string{"container": containerID})
	return nil
}

// Rename gives a running container another name on its networks. A container without a network has none to change.
func (m *Manager) Rename(ctx context.Context, containerID, name string) error {
	m.locks.Lock(containerID)
	defer m.locks.Unlock(containerID)
	old := m.record(containerID)
	if old == nil {
		return nil
	}
	next := *old
	next.Config.Name = name
	next.Endpoints = slices.Clone(old.Endpoints)
	for i := range next.Endpoints {
		ep := &next.Endpoints[i]
		ep.ContainerName = name
		if len(ep.Settings.DNSNames) > 0 {
			ep.Settings = ep.Settings.Copy()
			ep.Settings.DNSNames = dnsNames(next.Config, ep.Settings)
		}
	}
	return m.change(ctx, old, &next)
}

// inside runs fn on a thread in a sandbox's namespace.
func (m *Manager) inside(rec *sandboxRecord, fn func(*netns.Namespace) error) error {
	return netns.Do(rec.NetNS, func() error {
		n, err := netns.Current(m.host)
		if err != nil {
			return err
		}
		defer n.Close()
		return fn(n)
	})
}

// change brings routes, ports, names, files and the record of a running container from old to next.
func (m *Manager) change(ctx context.Context, old, next *sandboxRecord) error {
	if next.NetNS != "" {
		if err := m.inside(next, func(n *netns.Namespace) error { return m.reroute(n, next) }); err != nil {
			return err
		}
	}
	if err := m.serve(ctx, old, next); err != nil {
		return err
	}
	files, err := m.files(next)
	if err == nil {
		err = m.writeFiles(next.Config, files)
	}
	if err != nil {
		return err
	}
	return m.keep(next)
}

// reroute sets the default routes to the endpoints that now lead outside.
func (m *Manager) reroute(n *netns.Namespace, rec *sandboxRecord) error {
	if ep := m.gatewayEndpoint(rec, false); ep != nil {
		if err := n.SetGateway(false, ep.Settings.Gateway, ep.Interface); err != nil {
			return err
		}
	}
	if ep := m.gatewayEndpoint(rec, true); ep != nil {
		return n.SetGateway(true, ep.Settings.IPv6Gateway, ep.Interface)
	}
	return nil
}
