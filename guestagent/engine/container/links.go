//go:build linux

package container

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/network"
	"github.com/berthhq/berth/internal/errdefs"
	apinet "github.com/moby/moby/api/types/network"
)

// resolveLinks turns --link name[:alias] into IDs. On a network that a person made, links are names of that network
// and nothing more.
func (s *Service) resolveLinks(r *Record) error {
	r.Links = map[string]string{}
	all := slices.Clone(r.Host.Links)
	for _, name := range slices.Sorted(maps.Keys(r.Networks)) {
		all = append(all, r.Networks[name].Links...)
	}
	for _, l := range all {
		name, alias, _ := strings.Cut(l, ":")
		name, alias = strings.TrimPrefix(name, "/"), alias[strings.LastIndex(alias, "/")+1:]
		if name == "" {
			return errdefs.Invalid("invalid format for links: %s", l)
		}
		if alias == "" {
			alias = name[strings.LastIndex(name, "/")+1:]
		}
		target, err := s.find(name)
		if err != nil && !r.legacy() {
			r.Links[alias] = name // whoever has the name when this container starts
			continue
		}
		if err != nil {
			return errdefs.Invalid("could not get container for %s: %w", name, err)
		}
		t := target.snapshot()
		if t.Host.NetworkMode.IsHost() {
			return errdefs.Invalid("conflicting options: host type networking can't be used with links. This would result in undefined behavior")
		}
		r.Links[alias] = t.ID
	}
	return nil
}

// legacy says that links are those of the default network: with variables and a hosts entry.
func (r *Record) legacy() bool {
	return r.Host.NetworkMode.IsBridge() || r.Host.NetworkMode.IsDefault()
}

// linked gives the links of a container that starts. Errors: Conflict where a target does not run.
func (s *Service) linked(r *Record) (links []network.Link, env []string, err error) {
	for _, alias := range slices.Sorted(maps.Keys(r.Links)) {
		e, err := s.find(r.Links[alias])
		if err != nil {
			if r.legacy() {
				return nil, nil, err
			}
			continue
		}
		t := e.snapshot()
		if !t.State.running() && r.legacy() {
			return nil, nil, errdefs.Conflict("Cannot link to a non running container: /%s AS /%s/%s", t.Name, r.Name, alias)
		}
		links = append(links, network.Link{ContainerID: t.ID, Name: t.Name, Alias: alias, Hostname: t.Config.Hostname})
		if r.legacy() {
			env = append(env, s.linkEnv(r, &t, alias)...)
		}
	}
	return append(links, s.endpointLinks(r)...), env, nil
}

// endpointLinks are the names that a container gives others on networks that a person made.
func (s *Service) endpointLinks(r *Record) (links []network.Link) {
	for _, on := range slices.Sorted(maps.Keys(r.Networks)) {
		if on == apinet.NetworkBridge || r.Networks[on] == nil {
			continue
		}
		for _, l := range r.Networks[on].Links {
			name, alias, _ := strings.Cut(l, ":")
			e, err := s.find(strings.TrimPrefix(name, "/"))
			if err != nil || r.Links[alias] != "" {
				continue // whoever has the name when this container starts
			}
			t := e.snapshot()
			links = append(links, network.Link{ContainerID: t.ID, Name: t.Name, Alias: cmp.Or(alias, t.Name), Hostname: t.Config.Hostname})
		}
	}
	return links
}

// linkEnv are docker's variables of a link: ALIAS_NAME, ALIAS_PORT and those of each exposed port, and the target's
// own variables.
func (s *Service) linkEnv(r, t *Record, alias string) []string {
	sb, err := s.Networks.Sandbox(t.ID)
	if err != nil {
		return nil
	}
	var ip netip.Addr
	if ep := sb.Endpoints["bridge"]; ep != nil {
		ip = ep.IPAddress
	}
	prefix := strings.ToUpper(strings.ReplaceAll(alias, "-", "_"))
	env := []string{fmt.Sprintf("%s_NAME=/%s/%s", prefix, r.Name, alias)}
	ports := slices.SortedFunc(maps.Keys(t.Config.ExposedPorts), func(a, b apinet.Port) int {
		if d := strings.Compare(string(b.Proto()), string(a.Proto())); d != 0 { // udp before tcp, so that tcp is the first
			return -d
		}
		return int(a.Num()) - int(b.Num())
	})
	for i, p := range ports {
		url := fmt.Sprintf("%s://%s:%d", p.Proto(), ip, p.Num())
		if i == 0 {
			env = append(env, prefix+"_PORT="+url)
		}
		one := fmt.Sprintf("%s_PORT_%d_%s", prefix, p.Num(), strings.ToUpper(string(p.Proto())))
		env = append(env, one+"="+url, one+"_ADDR="+ip.String(), fmt.Sprintf("%s_PORT=%d", one, p.Num()), one+"_PROTO="+string(p.Proto()))
	}
	for _, e := range t.Config.Env {
		k, v, ok := strings.Cut(e, "=")
		if ok && k != "HOME" && k != "PATH" {
			env = append(env, fmt.Sprintf("%s_ENV_%s=%s", prefix, k, v))
		}
	}
	return env
}

// sandboxConfig is what the network needs to know of a container that starts.
func (s *Service) sandboxConfig(_ context.Context, r *Record, links []network.Link) network.SandboxConfig {
	mode, endpoints := r.Host.NetworkMode, r.Networks
	if r.Config.NetworkDisabled && !mode.IsHost() {
		mode, endpoints = apinet.NetworkNone, nil
	}
	return network.SandboxConfig{
		ContainerID:  r.ID,
		Name:         r.Name,
		Hostname:     r.Config.Hostname,
		Domainname:   r.Config.Domainname,
		Mode:         string(mode),
		Endpoints:    endpoints,
		ExposedPorts: r.Config.ExposedPorts,
		PortBindings: r.Host.PortBindings,
		PublishAll:   r.Host.PublishAllPorts,
		ExtraHosts:   r.Host.ExtraHosts,
		DNS:          r.Host.DNS,
		DNSSearch:    r.Host.DNSSearch,
		DNSOptions:   r.Host.DNSOptions,
		Links:        links,
		IDs:          s.mapping(r.Host),
	}
}
