//go:build linux

package network

import apinet "github.com/moby/moby/api/types/network"

// HoldAddresses keeps the addresses of a container that is about to be detached and attached again: nobody else gets
// them, and the next Attach of the container does. done gives back those that were not taken up.
func (m *Manager) HoldAddresses(containerID string) (done func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	held := map[string]*apinet.EndpointSettings{}
	if rec := m.sandboxes[containerID]; rec != nil {
		for _, ep := range rec.Endpoints {
			held[ep.NetworkID] = ep.Settings.Copy()
		}
	}
	m.held[containerID] = held
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.held, containerID)
		for id, es := range held {
			n := m.networks[id]
			if ep, used := m.endpointOf(containerID, id); n != nil && (!used || ep.Settings.IPAddress != es.IPAddress) {
				n.release(es)
			}
		}
	}
}

func (m *Manager) endpointOf(containerID, networkID string) (endpointRecord, bool) {
	if rec := m.sandboxes[containerID]; rec != nil {
		for _, ep := range rec.Endpoints {
			if ep.NetworkID == networkID {
				return ep, true
			}
		}
	}
	return endpointRecord{}, false
}

// takeHeld tells the addresses that are held for a container on a network, none where none are, and gives an endpoint the
// hardware address. They are free from then on: the caller holds mu and allocates at once.
func (m *Manager) takeHeld(n *network, containerID string, es *apinet.EndpointSettings) *apinet.EndpointSettings {
	held := m.held[containerID][n.rec.ID]
	if held == nil {
		return &apinet.EndpointSettings{}
	}
	n.release(held)
	if len(es.MacAddress) == 0 {
		es.MacAddress = held.MacAddress
	}
	return held
}
