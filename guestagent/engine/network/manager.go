//go:build linux

package network

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/moby/locker"
	"github.com/vishvananda/netlink"

	"github.com/berthhq/berth/guestagent/engine/network/firewalld"
	"github.com/berthhq/berth/guestagent/engine/network/foreign"
	"github.com/berthhq/berth/guestagent/engine/network/ipam"
	"github.com/berthhq/berth/guestagent/engine/network/netdproto"
	"github.com/berthhq/berth/guestagent/engine/network/netns"
	"github.com/berthhq/berth/guestagent/engine/network/nft"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"

	apinet "github.com/moby/moby/api/types/network"
)

// Manager owns all networks of one engine.
//
// Lock order: the lock of a container's ID, then netMu, then mu. mu guards memory only and is never held over a system
// call; a container's lock is held while its sandbox is made, changed or taken away; netMu while networks are.
type Manager struct {
	layout paths.Layout
	cfg    Config
	bus    Publisher
	nets   Store[networkRecord]
	boxes  Store[sandboxRecord]
	tag    string // marks what is this engine's in the kernel: the table's name, the bridges' alias
	rules  *nft.Table
	wall   *firewalld.Follower
	host   *netlink.Handle
	netd   *netdproto.Client
	locks  *locker.Locker
	pool   *pool
	close  context.CancelFunc
	wg     sync.WaitGroup

	netMu sync.Mutex

	mu        sync.Mutex
	networks  map[string]*network
	sandboxes map[string]*sandboxRecord
	held      map[string]map[string]*apinet.EndpointSettings // by container and network; see HoldAddresses
}

// open is Open with the stores given.
func open(ctx context.Context, layout paths.Layout, cfg Config, nets Store[networkRecord], boxes Store[sandboxRecord], bus Publisher) (*Manager, error) {
	m := &Manager{layout: layout, cfg: cfg, bus: bus, nets: nets, boxes: boxes, tag: tag(layout), locks: locker.New(),
		networks: map[string]*network{}, sandboxes: map[string]*sandboxRecord{}, held: map[string]map[string]*apinet.EndpointSettings{}}
	if len(m.cfg.Pools) == 0 {
		m.cfg.Pools = ipam.DefaultPools()
	}
	for _, p := range m.cfg.Pools {
		if err := p.Validate(); err != nil {
			return nil, errdefs.Invalid("default-address-pools: %w", err)
		}
	}
	var err error
	if m.host, err = netns.Host(); err != nil {
		return nil, err
	}
	if m.cfg.Log == nil {
		m.cfg.Log = slog.New(slog.DiscardHandler)
	}
	if !cfg.NoRules {
		if m.rules, err = nft.Open(m.tag); err != nil {
			return nil, err
		}
		m.wall = firewalld.Open(ctx, m.cfg.Log)
	}
	size := poolSize
	if cfg.NoPrepared {
		size = 0
	}
	m.pool = newPool(layout.NetNS(), m.host, size)
	m.netd = netdproto.NewClient(layout.NetdSocket(), m.startNetd)
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	m.close = stop
	if err := m.load(); err != nil {
		m.Close()
		return nil, err
	}
	m.passFirewall(ctx)
	m.wg.Go(m.logWarnings)
	m.wg.Go(func() { m.watchNetd(watch) })
	m.wg.Go(func() { m.pool.run(watch) })
	return m, nil
}

// Close lets go of the kernel's connections. Networks, containers and berth-netd go on.
func (m *Manager) Close() {
	m.close()
	m.wg.Wait()
	m.netd.Close()
	m.wall.Close()
	m.host.Close()
	if m.rules != nil {
		m.rules.Close()
	}
}

// tag is "berth" for the machine's engine; engines with a state directory of their own have marks of their own.
func tag(l paths.Layout) string {
	if l.Root == paths.DefaultRoot {
		return "berth"
	}
	sum := sha256.Sum256([]byte(l.Root))
	return "berth-" + hex.EncodeToString(sum[:3])
}

// defaultBridge is the name of the default network's interface.
func (m *Manager) defaultBridge() string {
	if m.cfg.Bridge != "" {
		return m.cfg.Bridge
	}
	if m.tag == "berth" {
		return "berth0"
	}
	return m.tag
}

// load brings back what is recorded and makes the kernel agree with it.
func (m *Manager) load() error {
	recs, err := m.nets.All()
	if err != nil {
		return fmt.Errorf("reading networks: %w", err)
	}
	for id, rec := range recs {
		m.networks[id] = &network{rec: rec, endpoints: map[string]endpointRecord{}}
	}
	if err := m.ensurePredefined(); err != nil {
		return err
	}
	if !m.cfg.NoForwarding {
		if err := netns.EnableForwarding(m.anyIPv6()); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(m.networks)) {
		n := m.networks[id]
		if err := n.buildSubnets(); err != nil {
			return fmt.Errorf("network %s: %w", n.rec.Name, err)
		}
		if err := m.ensureBridge(n); err != nil {
			return fmt.Errorf("network %s: %w", n.rec.Name, err)
		}
	}
	if err := m.loadSandboxes(); err != nil {
		return err
	}
	return m.resetRules()
}

func (m *Manager) loadSandboxes() error {
	recs, err := m.boxes.All()
	if err != nil {
		return fmt.Errorf("reading sandboxes: %w", err)
	}
	for id, rec := range recs {
		m.sandboxes[id] = &rec
		for _, ep := range rec.Endpoints {
			m.adopt(id, ep)
		}
	}
	return nil
}

// adopt takes an endpoint of a record into memory, with its addresses.
func (m *Manager) adopt(id string, ep endpointRecord) {
	n := m.networks[ep.NetworkID]
	if n == nil {
		return
	}
	n.endpoints[id] = ep
	for _, s := range n.subnets {
		s.Reserve(ep.Settings.IPAddress)
		s.Reserve(ep.Settings.GlobalIPv6Address)
	}
}

func (m *Manager) anyIPv6() bool {
	for _, n := range m.networks {
		if n.rec.EnableIPv6 {
			return true
		}
	}
	return false
}

// resetRules writes the whole table from memory.
func (m *Manager) resetRules() error {
	if m.rules == nil {
		return nil
	}
	m.mu.Lock()
	var bridges []nft.Bridge
	for _, n := range m.networks {
		if n.rec.Driver == driverBridge {
			bridges = append(bridges, n.nftBridge())
		}
	}
	var ports []nft.Port
	for _, rec := range m.sandboxes {
		ports = append(ports, natPorts(rec.Published)...)
	}
	m.mu.Unlock()
	return m.rules.Reset(bridges, ports)
}

// passFirewall binds all bridges in firewalld. An engine whose containers are cut off is better than none.
func (m *Manager) passFirewall(ctx context.Context) {
	var bridges []string
	for _, n := range m.bridges() {
		bridges = append(bridges, n.bridge())
	}
	if err := m.wall.Bind(ctx, bridges...); err != nil {
		m.cfg.Log.Warn("firewalld may stop containers' packets", "error", err)
	}
}

// Warnings are one-line messages on what stands in the way of containers' packets, with what to do about it.
func (m *Manager) Warnings() ([]string, error) {
	if m.rules == nil {
		return nil, nil
	}
	var outside []foreign.Bridge
	for _, n := range m.bridges() {
		if !n.rec.Internal {
			outside = append(outside, foreign.Bridge{Name: n.bridge(), IPv4: n.rec.EnableIPv4, IPv6: n.rec.EnableIPv6})
		}
	}
	hooks, err := foreign.Closed(m.tag, outside)
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(hooks))
	for _, h := range hooks {
		out = append(out, h.String())
	}
	return out, nil
}

// logWarnings tells the log at once what clients hear when they ask.
func (m *Manager) logWarnings() {
	said, err := m.Warnings()
	if err != nil {
		m.cfg.Log.Warn("packet rules of other programs could not be read", "error", err)
	}
	for _, s := range said {
		m.cfg.Log.Warn(s)
	}
}

// bridges are the bridge networks, the default's first.
func (m *Manager) bridges() []*network {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*network
	for _, n := range m.networks {
		if n.rec.Driver == driverBridge {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b *network) int {
		if a.isDefault() != b.isDefault() {
			return map[bool]int{true: -1, false: 1}[a.isDefault()]
		}
		return strings.Compare(a.bridge(), b.bridge())
	})
	return out
}

// find looks a network up by name, full ID or unambiguous prefix. The caller holds mu.
func (m *Manager) find(ref string) (*network, error) {
	if n := m.networks[ref]; n != nil {
		return n, nil
	}
	var byPrefix []*network
	for _, n := range m.networks {
		if n.rec.Name == ref {
			return n, nil
		}
		if ref != "" && strings.HasPrefix(n.rec.ID, ref) {
			byPrefix = append(byPrefix, n)
		}
	}
	switch len(byPrefix) {
	case 0:
		return nil, errdefs.NotFound("network %s not found", ref)
	case 1:
		return byPrefix[0], nil
	}
	return nil, errdefs.Invalid("network %s is ambiguous (%d matches found based on ID prefix)", ref, len(byPrefix))
}

// newID makes a random identifier of 64 hexadecimal digits.
func newID() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
