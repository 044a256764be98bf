//go:build linux

package network

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/berthhq/berth/guestagent/engine/network/netns"
)

// Reconcile is called once, after Open and before anything is attached, with the containers that run. Whatever belongs
// to none of them goes: namespaces, interfaces, rules, addresses, names, ports, and bridges of networks that are no
// more. What the living have is served again where it is missing. It does all it can and returns every failure.
func (m *Manager) Reconcile(ctx context.Context, live []string) error {
	var errs []error
	for id, rec := range m.snapshot() {
		if !slices.Contains(live, id) {
			errs = append(errs, m.tearDown(ctx, rec))
		}
	}
	errs = append(errs, m.sweepNamespaces(), m.sweepBridges(ctx), m.serveLiving(ctx), m.resetRules())
	m.pool.poke()
	return errors.Join(errs...)
}

func (m *Manager) snapshot() map[string]*sandboxRecord {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make(map[string]*sandboxRecord, len(m.sandboxes))
	for id, rec := range m.sandboxes {
		out[id] = rec
	}
	return out
}

// sweepNamespaces lets go of namespaces that no record knows; a crash between making and recording leaves such.
func (m *Manager) sweepNamespaces() error {
	entries, err := os.ReadDir(m.layout.NetNS())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for left-over network namespaces: %w", err)
	}
	used := map[string]bool{}
	for _, rec := range m.snapshot() {
		used[rec.NetNS] = true
	}
	var errs []error
	for _, e := range entries {
		path := filepath.Join(m.layout.NetNS(), e.Name())
		if !used[path] && !m.pool.owns(path) {
			errs = append(errs, netns.Delete(path))
		}
	}
	return errors.Join(errs...)
}

func (m *Manager) sweepBridges(ctx context.Context) error {
	ours, err := netns.Bridges(m.tag + ":")
	if err != nil {
		return err
	}
	var errs []error
	for name, id := range ours {
		m.mu.Lock()
		n := m.networks[id]
		stale := n == nil || n.bridge() != name
		m.mu.Unlock()
		if stale {
			errs = append(errs, m.wall.Unbind(ctx, name), netns.DeleteLink(name))
		}
	}
	return errors.Join(errs...)
}

// serveLiving brings berth-netd to what the living need; none is started that nobody needs.
func (m *Manager) serveLiving(ctx context.Context) error {
	if !m.needsNetd() {
		if !m.netd.Running() {
			if err := os.Remove(m.layout.NetdState()); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			return nil
		}
		return m.netd.Keep(ctx, nil)
	}
	living := slices.Collect(maps.Keys(m.snapshot()))
	return errors.Join(m.netd.Keep(ctx, living), m.serveAll(ctx))
}

// serveAll hands berth-netd whatever it serves. Its own state file may miss what came just before it died.
func (m *Manager) serveAll(ctx context.Context) error {
	var errs []error
	for id := range m.snapshot() {
		if err := m.serveAgain(ctx, id); err != nil {
			errs = append(errs, fmt.Errorf("container %s: %w", id, err))
		}
	}
	return errors.Join(errs...)
}

func (m *Manager) serveAgain(ctx context.Context, id string) error {
	m.locks.Lock(id)
	defer m.locks.Unlock(id)
	rec := m.record(id)
	if rec == nil {
		return nil
	}
	want := m.netdSandbox(rec)
	want.Ports = rec.Published
	if want.NetNS == "" && len(want.Ports) == 0 {
		return nil
	}
	_, err := m.netd.Put(ctx, want)
	return err
}
