//go:build linux

package container

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/berthhq/berth/internal/editapi"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// editing is a plan being made: the record as it will be, and the mounts that have to be made for it.
type editing struct {
	next  Record
	plan  editapi.Plan
	fresh []Mount
}

// planEdit says what a change does to a container. Nothing is done. Errors: Invalid, Conflict where a name is taken.
func (s *Service) planEdit(r *Record, c *editapi.Change) (*editing, error) {
	if r.Doomed || r.State.Status == container.StateDead {
		return nil, errdefs.Conflict("container %s is marked for removal and cannot be edited", r.Name)
	}
	ed := &editing{next: *r, plan: editapi.Plan{ID: r.ID, Name: r.Name, Steps: []editapi.Step{}}}
	cfg, host := *r.Config, *r.Host
	ed.next.Config, ed.next.Host = &cfg, &host
	for _, step := range []func(*editapi.Change) error{ed.env, ed.ports, ed.volumes, ed.limits} {
		if err := step(c); err != nil {
			return nil, err
		}
	}
	if err := s.editLinks(ed, c); err != nil {
		return nil, err
	}
	if err := s.editName(ed, c); err != nil {
		return nil, err
	}
	for i := range ed.fresh {
		if err := s.sharesRoot(&ed.fresh[i]); err != nil {
			return nil, err
		}
	}
	checked, checkedHost := cfg, host
	if _, err := s.validate(&checked, &checkedHost, nil); err != nil {
		return nil, err
	}
	if host.AutoRemove && !host.RestartPolicy.IsNone() {
		return nil, errdefs.Conflict("Restart policy cannot be updated because AutoRemove is enabled for the container")
	}
	if ed.plan.Successor() && r.State.running() {
		ed.plan.Stops = true
		ed.plan.StopTimeout = int(stopTimeout(r, nil, s.Defaults.StopTimeout).Seconds())
	}
	ed.plan.Compose = composeOf(cfg.Labels)
	return ed, nil
}

func (ed *editing) step(field, from, to string, successor bool) {
	if from != to {
		ed.plan.Steps = append(ed.plan.Steps, editapi.Step{Field: field, From: from, To: to, Successor: successor})
	}
}

func (ed *editing) env(c *editapi.Change) error {
	cfg := ed.next.Config
	env := slices.Clone(cfg.Env)
	at := func(name string) int {
		return slices.IndexFunc(env, func(e string) bool { k, _, _ := strings.Cut(e, "="); return k == name })
	}
	for _, name := range c.EnvRemove {
		i := at(name)
		if i < 0 {
			return errdefs.Invalid("container %s has no variable %s", ed.next.Name, name)
		}
		ed.step("env", env[i], "", true)
		env = slices.Delete(env, i, i+1)
	}
	for _, e := range c.EnvSet {
		name, _, ok := strings.Cut(e, "=")
		if !ok || name == "" {
			return errdefs.Invalid("invalid environment variable: %s", e).WithHint("Give it as NAME=value.")
		}
		i := at(name)
		if i < 0 {
			ed.step("env", "", e, true)
			env = append(env, e)
			continue
		}
		ed.step("env", env[i], e, true)
		env[i] = e
	}
	cfg.Env = env
	return nil
}

func (ed *editing) ports(c *editapi.Change) error {
	cfg, host := ed.next.Config, ed.next.Host
	host.PortBindings, cfg.ExposedPorts = maps.Clone(host.PortBindings), maps.Clone(cfg.ExposedPorts)
	if (len(c.PublishAdd) > 0) && (host.NetworkMode.IsHost() || host.NetworkMode.IsContainer() || host.NetworkMode.IsNone()) {
		return errdefs.Invalid("container %s has no ports of its own to publish: its network is %s", ed.next.Name, host.NetworkMode)
	}
	for _, spec := range c.PublishRemove {
		found := false
		for _, p := range sortedPortKeys(host.PortBindings) {
			kept := []network.PortBinding{}
			for _, b := range host.PortBindings[p] {
				if publishedAs(spec, p, b) {
					found = true
					ed.step("publish", publishText(p, b), "", true)
					continue
				}
				kept = append(kept, b)
			}
			if host.PortBindings[p] = kept; len(kept) == 0 {
				delete(host.PortBindings, p)
			}
		}
		if !found {
			return errdefs.Invalid("container %s publishes no port %s", ed.next.Name, spec)
		}
	}
	for _, p := range sortedPortKeys(c.PublishAdd) {
		for _, b := range c.PublishAdd[p] {
			if slices.Contains(host.PortBindings[p], b) {
				return errdefs.Invalid("container %s publishes %s already", ed.next.Name, publishText(p, b))
			}
			if host.PortBindings == nil {
				host.PortBindings = network.PortMap{}
			}
			host.PortBindings[p] = append(slices.Clone(host.PortBindings[p]), b)
			if cfg.ExposedPorts == nil {
				cfg.ExposedPorts = network.PortSet{}
			}
			cfg.ExposedPorts[p] = struct{}{}
			ed.step("publish", "", publishText(p, b), true)
		}
	}
	return nil
}

func sortedPortKeys(m network.PortMap) []network.Port {
	return slices.SortedFunc(maps.Keys(m), func(a, b network.Port) int {
		return cmp.Or(cmp.Compare(a.Num(), b.Num()), strings.Compare(string(a.Proto()), string(b.Proto())))
	})
}

// publishedAs says whether a binding is what [address:]host-port[/protocol] names.
func publishedAs(spec string, p network.Port, b network.PortBinding) bool {
	where, proto, has := strings.Cut(spec, "/")
	if has && proto != string(p.Proto()) {
		return false
	}
	i := strings.LastIndexByte(where, ':')
	if i >= 0 && strings.Trim(where[:i], "[]") != b.HostIP.String() {
		return false
	}
	return where[i+1:] == b.HostPort && b.HostPort != ""
}

// publishText writes a binding as -p takes it.
func publishText(p network.Port, b network.PortBinding) string {
	text := b.HostPort + ":" + strings.TrimSuffix(p.String(), "/tcp")
	switch {
	case b.HostIP.Is6():
		return "[" + b.HostIP.String() + "]:" + text
	case b.HostIP.IsValid():
		return b.HostIP.String() + ":" + text
	}
	return text
}

func (ed *editing) volumes(c *editapi.Change) error {
	cfg, host := ed.next.Config, ed.next.Host
	mounts := slices.Clone(ed.next.Mounts)
	for _, dst := range c.VolumeRemove {
		i := slices.IndexFunc(mounts, func(m Mount) bool { return m.Destination == dst })
		if i < 0 {
			return errdefs.Invalid("container %s has nothing mounted at %s", ed.next.Name, dst)
		}
		ed.step("volume", mountText(&mounts[i]), "", true)
		mounts = slices.Delete(mounts, i, i+1)
		host.Binds = slices.DeleteFunc(slices.Clone(host.Binds), func(b string) bool { m, err := parseBind(b); return err == nil && m.Destination == dst })
		host.Mounts = slices.Clone(host.Mounts)
		for j := len(host.Mounts) - 1; j >= 0; j-- {
			if within(dst, host.Mounts[j].Target) && within(host.Mounts[j].Target, dst) {
				host.Mounts = slices.Delete(host.Mounts, j, j+1)
			}
		}
		host.Tmpfs, cfg.Volumes = maps.Clone(host.Tmpfs), maps.Clone(cfg.Volumes)
		delete(host.Tmpfs, dst)
		delete(cfg.Volumes, dst)
	}
	for _, spec := range c.VolumeAdd {
		m := Mount{Type: "volume", Driver: "local", Destination: spec, Anonymous: true}
		var err error
		if strings.Contains(spec, ":") {
			m, err = parseBind(spec)
		} else {
			m.Destination, err = destination(spec)
		}
		if err != nil {
			return err
		}
		if slices.ContainsFunc(slices.Concat(mounts, ed.fresh), func(o Mount) bool { return o.Destination == m.Destination }) {
			return errdefs.Invalid("Duplicate mount point: %s", m.Destination)
		}
		if m.Anonymous {
			if cfg.Volumes = maps.Clone(cfg.Volumes); cfg.Volumes == nil {
				cfg.Volumes = map[string]struct{}{}
			}
			cfg.Volumes[m.Destination] = struct{}{}
		} else {
			host.Binds = append(slices.Clone(host.Binds), spec)
		}
		ed.step("volume", "", spec, true)
		ed.fresh = append(ed.fresh, m)
	}
	ed.next.Mounts = mounts
	return nil
}

func mountText(m *Mount) string {
	text := m.Destination
	if src := cmp.Or(m.Name, m.Source); src != "" && !m.Anonymous {
		text = src + ":" + text
	}
	if m.ReadOnly {
		text += ":ro"
	}
	return text
}

// limits change while a container runs; taking one away does not.
func (ed *editing) limits(c *editapi.Change) error {
	h := ed.next.Host
	if m := c.Memory; m != nil {
		size := func(n int64) string {
			if n == 0 {
				return ""
			}
			return units.BytesSize(float64(n))
		}
		if *m < 0 {
			return errdefs.Invalid("a memory limit cannot be negative: %d", *m)
		}
		ed.step("memory", size(h.Memory), size(*m), *m == 0)
		if *m == 0 {
			h.Memory, h.MemorySwap = 0, 0
		}
	}
	if n := c.NanoCPUs; n != nil {
		cpus := func(n int64) string {
			if n == 0 {
				return ""
			}
			return strconv.FormatFloat(float64(n)/1e9, 'f', -1, 64)
		}
		if *n < 0 {
			return errdefs.Invalid("a number of CPUs cannot be negative: %s", cpus(*n))
		}
		ed.step("cpus", cpus(h.NanoCPUs), cpus(*n), *n == 0)
		if *n == 0 {
			h.NanoCPUs = 0
		}
	}
	if p := c.RestartPolicy; p != nil {
		text := func(p container.RestartPolicy) string {
			if p.MaximumRetryCount > 0 {
				return fmt.Sprintf("%s:%d", p.Name, p.MaximumRetryCount)
			}
			return string(p.Name)
		}
		if h.AutoRemove && !p.IsNone() {
			return errdefs.Conflict("Restart policy cannot be updated because AutoRemove is enabled for the container")
		}
		ed.step("restart", text(h.RestartPolicy), text(*p), false)
	}
	return nil
}

func (s *Service) editLinks(ed *editing, c *editapi.Change) error {
	r := &ed.next
	host, links, nets := r.Host, maps.Clone(r.Links), maps.Clone(r.Networks)
	for _, alias := range c.LinkRemove {
		is := func(l string) bool {
			name, as, _ := strings.Cut(l, ":")
			return cmp.Or(as[strings.LastIndex(as, "/")+1:], strings.TrimPrefix(name, "/")) == alias
		}
		if _, ok := links[alias]; !ok {
			return errdefs.Invalid("container %s has no link %s", r.Name, alias)
		}
		delete(links, alias)
		ed.step("link", alias, "", true)
		host.Links = slices.DeleteFunc(slices.Clone(host.Links), is)
		for name, ep := range nets {
			if ep != nil && slices.ContainsFunc(ep.Links, is) {
				less := ep.Copy()
				less.Links = slices.DeleteFunc(slices.Clone(ep.Links), is)
				nets[name] = less
			}
		}
	}
	added := Record{Host: &container.HostConfig{NetworkMode: host.NetworkMode, Links: c.LinkAdd}}
	if err := s.resolveLinks(&added); err != nil {
		return err
	}
	for alias, id := range added.Links {
		if _, ok := links[alias]; ok {
			return errdefs.Invalid("container %s has a link %s already", r.Name, alias)
		}
		if links == nil {
			links = map[string]string{}
		}
		links[alias] = id
	}
	for _, l := range c.LinkAdd {
		ed.step("link", "", l, true)
	}
	host.Links = append(slices.Clone(host.Links), c.LinkAdd...)
	r.Links, r.Networks = links, nets
	return nil
}

func (s *Service) editName(ed *editing, c *editapi.Change) error {
	name := strings.TrimPrefix(c.Name, "/")
	if name == "" || name == ed.next.Name {
		return nil
	}
	if err := checkName(name); err != nil {
		return err
	}
	s.mu.Lock()
	other := s.byName[name]
	s.mu.Unlock()
	if other != nil {
		return taken(name, other.snapshot().ID)
	}
	ed.step("name", ed.next.Name, name, false)
	return nil
}

// composeOf reads the labels that Compose gives its containers.
func composeOf(labels map[string]string) *editapi.Compose {
	const prefix = "com.docker.compose."
	c := &editapi.Compose{Project: labels[prefix+"project"], Service: labels[prefix+"service"]}
	if c.Project == "" || c.Service == "" {
		return nil
	}
	if files := labels[prefix+"project.config_files"]; files != "" {
		c.Files = strings.Split(files, ",")
	}
	return c
}
