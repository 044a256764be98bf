package changes

import (
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/docker/go-connections/nat"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/sys/signal"
)

// copied is a configuration whose maps and slices that instructions change are its own, and none of the maps nil.
func copied(base *container.Config) *container.Config {
	c := container.Config{}
	if base != nil {
		c = *base
	}
	c.Env, c.OnBuild = slices.Clone(c.Env), slices.Clone(c.OnBuild)
	c.Labels, c.Volumes, c.ExposedPorts = cloned(c.Labels), cloned(c.Volumes), cloned(c.ExposedPorts)
	return &c
}

func cloned[M ~map[K]V, K comparable, V any](m M) M {
	if m == nil {
		return M{}
	}
	return maps.Clone(m)
}

func setEnv(c *container.Config, name, value string) {
	at := slices.IndexFunc(c.Env, func(e string) bool {
		key, _, _ := strings.Cut(e, "=")
		return shell.EqualEnvKeys(key, name)
	})
	if at < 0 {
		c.Env = append(c.Env, "")
		at = len(c.Env) - 1
	}
	c.Env[at] = name + "=" + value
}

// expose adds ports and ranges of ports; one variable may stand for several of them.
func (s *state) expose(words []string, env shell.EnvGetter) error {
	var ports []string
	for _, w := range words {
		list, err := s.lex.ProcessWords(w, env)
		if err != nil {
			return err
		}
		ports = append(ports, list...)
	}
	set, _, err := nat.ParsePortSpecs(ports)
	if err != nil {
		return err
	}
	for p := range set {
		port, err := network.ParsePort(string(p))
		if err != nil {
			return err
		}
		s.config.ExposedPorts[port] = struct{}{}
	}
	return nil
}

func stopSignal(c *container.Config, name string) error {
	if _, err := signal.ParseSignal(name); err != nil {
		return err
	}
	c.StopSignal = name
	return nil
}

func volumes(c *container.Config, paths []string) error {
	for _, p := range paths {
		if p == "" {
			return errors.New("VOLUME specified can not be an empty string")
		}
		c.Volumes[p] = struct{}{}
	}
	return nil
}

func workdir(c *container.Config, dir string) error {
	switch {
	case dir == "":
		return errors.New("cannot normalize nothing")
	case path.IsAbs(dir):
		c.WorkingDir = path.Clean(dir)
	default:
		c.WorkingDir = path.Join("/", c.WorkingDir, dir)
	}
	return nil
}
