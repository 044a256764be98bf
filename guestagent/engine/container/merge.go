//go:build linux

package container

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// mergeImage completes a configuration from the image's, as docker does: what the person set wins, sets add up.
func mergeImage(c *container.Config, img *dockerspec.DockerOCIImageConfig) {
	if c.User == "" {
		c.User = img.User
	}
	if len(img.ExposedPorts) > 0 {
		ports := maps.Clone(c.ExposedPorts)
		if ports == nil {
			ports = network.PortSet{}
		}
		for p := range img.ExposedPorts {
			if port, err := network.ParsePort(p); err == nil {
				ports[port] = struct{}{}
			}
		}
		c.ExposedPorts = ports
	}
	c.Env = mergeEnv(c.Env, img.Env)
	c.Labels = mergeMap(c.Labels, img.Labels)
	if len(c.Entrypoint) == 0 {
		if len(c.Cmd) == 0 {
			c.Cmd = img.Cmd
		}
		if c.Entrypoint == nil {
			c.Entrypoint = img.Entrypoint
		}
	}
	// An entrypoint of one empty string clears the image's (docker run --entrypoint "").
	if len(c.Entrypoint) == 1 && c.Entrypoint[0] == "" {
		c.Entrypoint = nil
	}
	if c.WorkingDir == "" {
		c.WorkingDir = img.WorkingDir
	}
	if len(img.Volumes) > 0 {
		vols := maps.Clone(c.Volumes)
		if vols == nil {
			vols = map[string]struct{}{}
		}
		maps.Copy(vols, img.Volumes)
		c.Volumes = vols
	}
	if len(c.Volumes) == 0 {
		c.Volumes = nil // null to clients
	}
	if c.StopSignal == "" {
		c.StopSignal = img.StopSignal
	}
	mergeHealth(c, img.Healthcheck)
}

// mergeEnv adds the image's variables that the person did not set.
func mergeEnv(own, img []string) []string {
	set := map[string]bool{}
	for _, e := range own {
		k, _, _ := strings.Cut(e, "=")
		set[k] = true
	}
	out := slices.Clone(own)
	for _, e := range img {
		if k, _, _ := strings.Cut(e, "="); !set[k] {
			out = append(out, e)
		}
	}
	if out == nil {
		out = []string{}
	}
	return out
}

func mergeMap(own, img map[string]string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, img)
	maps.Copy(out, own)
	return out
}

func mergeHealth(c *container.Config, img *dockerspec.HealthcheckConfig) {
	if img == nil {
		return
	}
	if c.Healthcheck == nil {
		h := container.HealthConfig(*img)
		c.Healthcheck = &h
		return
	}
	h := *c.Healthcheck
	if len(h.Test) == 0 {
		h.Test = img.Test
	}
	for _, f := range []struct {
		own *time.Duration
		img time.Duration
	}{{&h.Interval, img.Interval}, {&h.Timeout, img.Timeout}, {&h.StartPeriod, img.StartPeriod}, {&h.StartInterval, img.StartInterval}} {
		if *f.own == 0 {
			*f.own = f.img
		}
	}
	if h.Retries == 0 {
		h.Retries = img.Retries
	}
	c.Healthcheck = &h
}

// command is what the container executes. Errors: Invalid where neither the person nor the image named anything.
func command(c *container.Config) (path string, args []string, err error) {
	all := slices.Concat(c.Entrypoint, c.Cmd)
	if len(all) == 0 {
		return "", nil, errdefs.Invalid("no command specified")
	}
	return all[0], append([]string{}, all[1:]...), nil
}

// mergeDefaults completes a host configuration with the engine's settings.
func (s *Service) mergeDefaults(h *container.HostConfig) {
	d := &s.Defaults
	if h.NetworkMode == "" || h.NetworkMode == "default" {
		h.NetworkMode = "bridge"
	}
	if h.IpcMode == "" {
		h.IpcMode = container.IPCModePrivate
	}
	if h.SecurityOpt == nil && (h.Privileged || h.PidMode.IsHost() || h.IpcMode.IsHost()) {
		h.SecurityOpt = []string{"label=disable"} // told even where there is no SELinux, as dockerd does
	}
	if h.OomKillDisable == nil && d.Cgroups.Version == "1" { // a setting that cgroups of version 2 have not
		h.OomKillDisable = new(bool)
	}
	if h.CgroupnsMode == "" {
		h.CgroupnsMode = d.CgroupNS
		if h.Privileged && d.CgroupNS != container.CgroupnsModePrivate {
			h.CgroupnsMode = container.CgroupnsModeHost
		}
	}
	if h.ShmSize == 0 {
		h.ShmSize = d.ShmSize
		if h.ShmSize == 0 {
			h.ShmSize = 64 << 20
		}
	}
	if h.LogConfig.Type == "" {
		h.LogConfig.Type = d.LogConfig.Type
		if h.LogConfig.Config == nil {
			h.LogConfig.Config = maps.Clone(d.LogConfig.Config)
		}
	}
	if h.LogConfig.Config == nil {
		h.LogConfig.Config = map[string]string{}
	}
	if h.RestartPolicy.Name == "" {
		h.RestartPolicy.Name = container.RestartPolicyDisabled
	}
	if h.Runtime == "" {
		h.Runtime = "runc"
	}
	h.Ulimits = mergeUlimits(h.Ulimits, d.Ulimits)
	if h.Memory > 0 && h.MemorySwap == 0 {
		h.MemorySwap = 2 * h.Memory
	}
	h.PortBindings = maps.Clone(h.PortBindings)
}

func mergeUlimits(own []*container.Ulimit, defaults map[string]*container.Ulimit) []*container.Ulimit {
	set := map[string]bool{}
	for _, u := range own {
		if u != nil {
			set[u.Name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(defaults)) {
		if !set[name] {
			own = append(own, defaults[name])
		}
	}
	return own
}
