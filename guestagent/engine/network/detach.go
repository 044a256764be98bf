//go:build linux

package network

import (
	"context"
	"errors"
	"fmt"

	"github.com/berthhq/berth/guestagent/engine/network/netns"
)

// Detach takes a container's network away. Addresses and ports are free when it returns. A container without a network
// is no error.
func (m *Manager) Detach(ctx context.Context, containerID string) error {
	m.locks.Lock(containerID)
	defer m.locks.Unlock(containerID)
	rec := m.record(containerID)
	if err := m.detach(ctx, containerID); err != nil {
		return err
	}
	if rec != nil {
		for _, ep := range rec.told() {
			m.publishEvent("disconnect", ep.NetworkID, ep.NetworkName, map[string]string{"container": containerID})
		}
	}
	return nil
}

// detach is Detach for who holds the container's lock.
func (m *Manager) detach(ctx context.Context, containerID string) error {
	rec := m.record(containerID)
	if rec == nil {
		return nil
	}
	return m.tearDown(context.WithoutCancel(ctx), rec)
}

// tearDown undoes whatever there is of a sandbox; it goes on after a failure and returns all of them.
func (m *Manager) tearDown(ctx context.Context, rec *sandboxRecord) error {
	id := rec.Config.ContainerID
	errs := []error{m.withdraw(ctx, rec)}
	for _, ep := range rec.Endpoints {
		if ep.HostEnd != "" {
			errs = append(errs, netns.Cut(m.host, ep.HostEnd))
		}
	}
	if rec.NetNS != "" {
		errs = append(errs, netns.Delete(rec.NetNS))
	}
	if m.record(id) != nil {
		if err := m.boxes.Delete(id); err != nil {
			errs = append(errs, fmt.Errorf("forgetting the network of container %s: %w", id, err))
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sandboxes, id)
	m.releaseLocked(rec)
	return errors.Join(errs...)
}

// releaseLocked gives all addresses of a sandbox back. The caller holds mu.
func (m *Manager) releaseLocked(rec *sandboxRecord) {
	for _, ep := range rec.Endpoints {
		if n := m.networks[ep.NetworkID]; n != nil {
			if held := m.held[rec.Config.ContainerID][ep.NetworkID]; held == nil || held.IPAddress != ep.Settings.IPAddress {
				n.release(ep.Settings)
			}
			delete(n.endpoints, rec.Config.ContainerID)
		}
	}
}
