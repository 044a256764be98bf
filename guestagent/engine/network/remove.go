//go:build linux

package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	apinet "github.com/moby/moby/api/types/network"

	"github.com/berthhq/berth/guestagent/engine/network/netns"
	"github.com/berthhq/berth/internal/errdefs"
)

// NetworkRemove removes a user's network that no container is on.
func (m *Manager) NetworkRemove(ctx context.Context, ref string) error {
	m.netMu.Lock()
	defer m.netMu.Unlock()
	m.mu.Lock()
	n, err := m.find(ref)
	if err == nil {
		err = n.removable()
	}
	if err == nil && n.rec.ConfigOnly && m.configUser(n.rec.Name) != "" {
		err = errdefs.Forbidden("configuration network %q is in use", n.rec.Name)
	}
	if err != nil {
		m.mu.Unlock()
		return err
	}
	delete(m.networks, n.rec.ID) // from here on nobody attaches to it
	m.mu.Unlock()
	if err := m.nets.Delete(n.rec.ID); err != nil {
		m.mu.Lock()
		m.networks[n.rec.ID] = n
		m.mu.Unlock()
		return err
	}
	m.publishEvent("destroy", n.rec.ID, n.rec.Name, nil)
	return m.lower(ctx, n)
}

// lower undoes raise.
func (m *Manager) lower(ctx context.Context, n *network) error {
	if n.rec.ConfigOnly {
		return nil
	}
	err := m.withRules(func() error { return m.rules.RemoveBridge(n.nftBridge()) })
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // the rules were made anew without it
	}
	return errors.Join(err, m.wall.Unbind(context.WithoutCancel(ctx), n.bridge()), netns.DeleteLink(n.bridge()))
}

// predefined says whether the network is one of those that every engine has.
func (n *network) predefined() bool {
	return !n.rec.ConfigOnly && (n.rec.Driver != driverBridge || n.isDefault())
}

// removable says why a network has to stay, or nil. The caller holds mu.
func (n *network) removable() error {
	if n.predefined() {
		return errdefs.Forbidden("%s is a pre-defined network and cannot be removed", n.rec.Name)
	}
	if len(n.endpoints) == 0 {
		return nil
	}
	var users []string
	for _, id := range slices.Sorted(maps.Keys(n.endpoints)) {
		users = append(users, fmt.Sprintf("name:%q id:%q", n.endpoints[id].ContainerName, shortID(n.endpoints[id].Settings.EndpointID)))
	}
	return errdefs.Forbidden("error while removing network: network %s has active endpoints (%s)", n.rec.Name, strings.Join(users, ", "))
}

// NetworkPrune removes users' networks that no running container is on.
func (m *Manager) NetworkPrune(ctx context.Context, filters map[string]map[string]bool) (apinet.PruneReport, error) {
	match, err := pruneFilter(filters)
	if err != nil {
		return apinet.PruneReport{}, err
	}
	m.mu.Lock()
	var ids []string
	for id, n := range m.networks {
		if !n.rec.ConfigOnly && n.removable() == nil && match(n) {
			ids = append(ids, id)
		}
	}
	m.mu.Unlock()
	var report apinet.PruneReport
	for _, id := range ids {
		if ctx.Err() != nil {
			return report, ctx.Err()
		}
		name := m.nameOf(id)
		if err := m.NetworkRemove(ctx, id); err != nil {
			continue // somebody began to use it, or it is gone
		}
		report.NetworksDeleted = append(report.NetworksDeleted, name)
	}
	slices.Sort(report.NetworksDeleted)
	return report, nil
}

func (m *Manager) nameOf(id string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := m.networks[id]; n != nil {
		return n.rec.Name
	}
	return id
}
