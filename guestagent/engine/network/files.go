//go:build linux

package network

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/network/dns"
	"github.com/berthhq/berth/internal/errdefs"
)

// Where the host keeps what containers get a copy of.
const (
	hostResolvConf = "/etc/resolv.conf"
	hostHosts      = "/etc/hosts"
	// resolvedConf names the real servers where /etc/resolv.conf only names systemd-resolved's address on loopback.
	resolvedConf = "/run/systemd/resolve/resolv.conf"
)

// hostGateway is the name for "the host, as containers reach it" in extra hosts.
const hostGateway = "host-gateway"

// files are the contents of a container's hosts, resolv.conf and hostname, by path.
func (m *Manager) files(rec *sandboxRecord) (map[string]string, error) {
	hosts, err := m.hostsFile(rec)
	if err != nil {
		return nil, err
	}
	hostname := rec.Config.Hostname
	if hostname == "" {
		hostname, _ = os.Hostname()
	}
	id := rec.Config.ContainerID
	return map[string]string{
		m.layout.Hosts(id): hosts, m.layout.ResolvConf(id): m.resolvFile(rec), m.layout.Hostname(id): hostname + "\n",
	}, nil
}

// writeFiles writes what files gave. They are rewritten in place, because running containers have them mounted.
func (m *Manager) writeFiles(cfg SandboxConfig, files map[string]string) error {
	id := cfg.ContainerID
	uid, gid := cfg.IDs.RootPair()
	if err := os.MkdirAll(m.layout.Container(id), 0o710); err != nil {
		return fmt.Errorf("network files of container %s: %w", id, err)
	}
	for path, content := range files {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return fmt.Errorf("file %s of container %s: %w", filepath.Base(path), id, err)
		}
		if cfg.IDs.Empty() {
			continue
		}
		if err := os.Chown(path, uid, gid); err != nil { // the container's root may change them
			return fmt.Errorf("file %s of container %s: %w", filepath.Base(path), id, err)
		}
	}
	return nil
}

func (m *Manager) hostNetwork(rec *sandboxRecord) bool { return rec.NetNS == "" }

// hostsFile is docker's: loopback names, extra hosts, links, then the container itself. With the host's network it is
// the host's own file and the extra hosts.
func (m *Manager) hostsFile(rec *sandboxRecord) (string, error) {
	var b strings.Builder
	if m.hostNetwork(rec) {
		path := m.cfg.HostHostsFile
		if path == "" {
			path = hostHosts
		}
		if data, err := os.ReadFile(path); err == nil {
			b.Write(data)
			if len(data) > 0 && data[len(data)-1] != '\n' {
				b.WriteByte('\n')
			}
		}
	} else {
		b.WriteString("127.0.0.1\tlocalhost\n")
		b.WriteString("::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n")
	}
	extra, err := m.extraHosts(rec)
	if err != nil {
		return "", err
	}
	b.WriteString(extra)
	b.WriteString(m.linkHosts(rec))
	names := ownNames(rec.Config)
	for _, ep := range rec.Endpoints {
		for _, a := range []netip.Addr{ep.Settings.IPAddress, ep.Settings.GlobalIPv6Address} {
			if a.IsValid() && names != "" {
				fmt.Fprintf(&b, "%s\t%s\n", a, names)
			}
		}
	}
	return b.String(), nil
}

// ownNames are what a container calls itself: the full name first where it has a domain, which may stand in the
// hostname too, then the first part alone.
func ownNames(cfg SandboxConfig) string {
	full := cfg.Hostname
	if full != "" && cfg.Domainname != "" {
		full += "." + cfg.Domainname
	}
	if first, _, ok := strings.Cut(full, "."); ok {
		return full + " " + first
	}
	return full
}

// extraHosts are the lines of --add-host.
func (m *Manager) extraHosts(rec *sandboxRecord) (string, error) {
	var b strings.Builder
	for _, e := range rec.Config.ExtraHosts {
		name, value, ok := strings.Cut(e, ":")
		if !ok || name == "" {
			return "", errdefs.Invalid("bad format for add-host: %q", e)
		}
		if value == hostGateway {
			gateways := m.hostGateways(rec)
			if len(gateways) == 0 {
				return "", errdefs.Invalid("unable to derive the IP value for host-gateway")
			}
			for _, a := range gateways {
				fmt.Fprintf(&b, "%s\t%s\n", a, name)
			}
			continue
		}
		a, err := netip.ParseAddr(strings.Trim(value, "[]"))
		if err != nil {
			return "", errdefs.Invalid("invalid IP address in add-host: %q", value)
		}
		fmt.Fprintf(&b, "%s\t%s\n", a, name)
	}
	return b.String(), nil
}

// hostGateways are the addresses by which containers reach the host: configured, or the default bridge's.
func (m *Manager) hostGateways(rec *sandboxRecord) []netip.Addr {
	if len(m.cfg.HostGateways) > 0 {
		return m.cfg.HostGateways
	}
	if m.hostNetwork(rec) {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []netip.Addr
	if n, err := m.find("bridge"); err == nil {
		for _, p := range n.gateways() {
			out = append(out, p.Addr())
		}
	}
	if len(out) == 0 { // no default bridge: the way out of the container's own network
		for _, v6 := range []bool{false, true} {
			if ep := m.gatewayEndpoint(rec, v6); ep != nil {
				if gw := ep.Settings.Gateway; !v6 && gw.IsValid() {
					out = append(out, gw)
				} else if gw := ep.Settings.IPv6Gateway; v6 && gw.IsValid() {
					out = append(out, gw)
				}
			}
		}
	}
	return out
}

// linkHosts are the lines of legacy links: the target's address on the default bridge, its alias, hostname and name. On
// users' networks links are names of the name server instead.
func (m *Manager) linkHosts(rec *sandboxRecord) string {
	var b strings.Builder
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, ep := range rec.Endpoints {
		n := m.networks[ep.NetworkID]
		if n == nil || !n.isDefault() {
			continue
		}
		for _, l := range rec.Config.Links {
			target, ok := n.endpoints[l.ContainerID]
			if !ok {
				continue
			}
			names := slices.Compact([]string{l.Alias, l.Hostname, l.Name})
			names = slices.DeleteFunc(names, func(s string) bool { return s == "" })
			fmt.Fprintf(&b, "%s\t%s\n", target.Settings.IPAddress, strings.Join(names, " "))
		}
	}
	return b.String()
}

// resolvFile is the container's resolv.conf: the embedded server on users' networks, else the host's servers without
// those on the host's loopback, which a container cannot reach.
func (m *Manager) resolvFile(rec *sandboxRecord) string {
	cfg := rec.Config
	host := m.hostResolv(m.hostNetwork(rec))
	rc := dns.ResolvConf{Servers: host.Servers, Search: host.Search, Options: host.Options}
	override := func(values ...[]string) []string {
		for _, v := range values {
			if len(v) > 0 {
				return v
			}
		}
		return nil
	}
	rc.Search = override(cfg.DNSSearch, m.cfg.DNSSearch, host.Search)
	if slices.Equal(rc.Search, []string{"."}) {
		rc.Search = nil
	}
	rc.Options = override(cfg.DNSOptions, m.cfg.DNSOptions, host.Options)
	for _, servers := range [][]netip.Addr{cfg.DNS, m.cfg.DNS} {
		if len(servers) > 0 {
			rc.Servers = servers
			break
		}
	}
	if m.netdSandbox(rec).NetNS != "" {
		rc.Servers = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 11})}
		if !slices.ContainsFunc(rc.Options, func(o string) bool { return strings.HasPrefix(o, "ndots:") }) {
			rc.Options = append(slices.Clone(rc.Options), "ndots:0")
		}
	}
	return "# Generated by berth from the host's resolv.conf and the container's options.\n" + rc.String()
}

// hostResolv reads the host's resolv.conf. Unless whole, servers on loopback are left out; where none remain docker's
// public ones stand in.
func (m *Manager) hostResolv(whole bool) dns.ResolvConf {
	path := m.cfg.HostResolv
	if path == "" {
		path = hostResolvConf
	}
	rc := readResolv(path)
	if whole {
		return rc
	}
	loopback := func(a netip.Addr) bool { return a.IsLoopback() }
	if len(rc.Servers) == 1 && rc.Servers[0] == netip.AddrFrom4([4]byte{127, 0, 0, 53}) {
		if real := readResolv(resolvedConf); len(real.Servers) > 0 {
			rc = real
		}
	}
	rc.Servers = slices.DeleteFunc(rc.Servers, loopback)
	if len(rc.Servers) == 0 {
		rc.Servers = []netip.Addr{netip.AddrFrom4([4]byte{8, 8, 8, 8}), netip.AddrFrom4([4]byte{8, 8, 4, 4})}
	}
	return rc
}

func readResolv(path string) dns.ResolvConf {
	data, err := os.ReadFile(path)
	if err != nil {
		return dns.ResolvConf{}
	}
	return dns.ParseResolvConf(data)
}
