//go:build linux

package container

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// labelled says whether labels fulfil a label filter: each of its values, key or key=value.
func labelled(labels map[string]string, want map[string]bool) bool {
	for v, positive := range want {
		k, value, has := strings.Cut(v, "=")
		got, ok := labels[k]
		if (ok && (!has || got == value)) != positive {
			return false
		}
	}
	return true
}

// parseTime reads a time of a filter: seconds since 1970, with a fraction, RFC 3339, or a duration before now.
func parseTime(v string) (time.Time, error) {
	if d, err := time.ParseDuration(v); err == nil {
		return time.Now().Add(-d), nil
	}
	if sec, err := strconv.ParseFloat(v, 64); err == nil {
		return time.Unix(0, int64(sec*1e9)), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, v); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errdefs.Invalid("invalid time: %q", v)
}

// listFilter is the filters of a list, checked.
type listFilter struct {
	by            map[string]map[string]bool
	before, since time.Time
	exited        map[int]bool
	images        map[string]bool // IDs that ancestor names
}

// filterKeys are those of GET /containers/json.
func filterKeys() map[string]bool {
	out := map[string]bool{}
	for _, k := range strings.Fields("ancestor before exited expose health id isolation is-task label name network publish since status volume") {
		out[k] = true
	}
	return out
}

func (s *Service) newListFilter(f map[string]map[string]bool, resolve func(string) string) (*listFilter, error) {
	l := &listFilter{by: f, exited: map[int]bool{}, images: map[string]bool{}}
	for key := range f {
		if !filterKeys()[key] {
			return nil, errdefs.Invalid("invalid filter '%s'", key)
		}
	}
	for v := range f["exited"] {
		code, err := strconv.Atoi(v)
		if err != nil {
			return nil, errdefs.Invalid("invalid filter 'exited=%s': %w", v, err)
		}
		l.exited[code] = true
	}
	for v := range f["status"] {
		if err := container.ValidateContainerState(container.ContainerState(v)); err != nil {
			return nil, errdefs.Invalid("invalid filter 'status=%s': %w", v, err)
		}
	}
	for v := range f["health"] {
		if err := container.ValidateHealthStatus(container.HealthStatus(v)); err != nil {
			return nil, errdefs.Invalid("invalid filter 'health=%s': %w", v, err)
		}
	}
	for key, to := range map[string]*time.Time{"before": &l.before, "since": &l.since} {
		for v := range f[key] {
			e, err := s.find(v)
			if err != nil {
				return nil, err
			}
			*to = e.snapshot().Created
		}
	}
	for v := range f["ancestor"] {
		if id := resolve(v); id != "" {
			l.images[id] = true
		}
	}
	return l, nil
}

// keeps says whether a container is listed.
func (l *listFilter) keeps(r *Record, nets map[string]*network.EndpointSettings, ports network.PortMap) bool {
	if !l.before.IsZero() && !r.Created.Before(l.before) || !l.since.IsZero() && !r.Created.After(l.since) {
		return false
	}
	if len(l.exited) > 0 && (!l.exited[r.State.ExitCode] || r.State.running() || r.State.Status == container.StateCreated) {
		return false
	}
	if len(l.by["ancestor"]) > 0 && !l.images[r.Image.ID] {
		return false
	}
	if !labelled(r.Config.Labels, l.by["label"]) {
		return false
	}
	for key, match := range map[string]func(string) bool{
		"id":     func(v string) bool { return strings.HasPrefix(r.ID, v) },
		"name":   func(v string) bool { return matchName(r.Name, v) },
		"status": func(v string) bool { return string(r.State.Status) == v },
		"health": func(v string) bool { return string(healthOf(r)) == v },
		"volume": func(v string) bool { return r.uses(v) },
		"network": func(v string) bool {
			for name, ep := range nets {
				if name == v || ep != nil && v != "" && strings.HasPrefix(ep.NetworkID, v) {
					return true
				}
			}
			return false
		},
		"publish": func(v string) bool {
			return portIn(v, func(p network.Port) bool { return published(ports, p) })
		},
		"expose": func(v string) bool {
			return portIn(v, func(p network.Port) bool { _, ok := r.Config.ExposedPorts[p]; return ok })
		},
		"is-task":   func(v string) bool { return v == "false" || v == "0" },
		"isolation": func(string) bool { return true },
	} {
		if !anyOf(l.by[key], match) {
			return false
		}
	}
	return true
}

// anyOf says whether a value of a filter matches; a filter that is not set lets everything through.
func anyOf(values map[string]bool, match func(string) bool) bool {
	if len(values) == 0 {
		return true
	}
	for v, positive := range values {
		if match(v) == positive {
			return true
		}
	}
	return false
}

func healthOf(r *Record) container.HealthStatus {
	if r.State.Health == nil || r.State.Health.Status == "" {
		return container.NoHealthcheck
	}
	return r.State.Health.Status
}

func (r *Record) uses(volume string) bool {
	for _, m := range r.Mounts {
		if m.Name == volume || m.Destination == volume || m.Source == volume {
			return true
		}
	}
	return false
}

// published says whether p is the host's side of a port.
func published(ports network.PortMap, p network.Port) bool {
	for inside, list := range ports {
		for _, b := range list {
			if inside.Proto() == p.Proto() && b.HostPort == fmt.Sprint(p.Num()) {
				return true
			}
		}
	}
	return false
}

// portIn asks for each port of "80", "80/udp" or "8000-8010/tcp".
func portIn(v string, has func(network.Port) bool) bool {
	rng, err := network.ParsePortRange(v)
	if err != nil {
		return false
	}
	for p := range rng.All() {
		if has(p) {
			return true
		}
	}
	return false
}
