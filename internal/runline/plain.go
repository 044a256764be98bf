package runline

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
)

// What an engine puts where nothing was asked.
const (
	shmDefault = 64 << 20 // bytes
	shortID    = 12
)

// FromInspect takes what inspect says of a container for what it would be created of. The image's configuration may be
// nil.
func FromInspect(in *container.InspectResponse, image *dockerspec.DockerOCIImageConfig) Wanted {
	w := Wanted{Name: strings.TrimPrefix(in.Name, "/"), Image: image}
	if in.Config == nil || in.HostConfig == nil {
		return w
	}
	cfg, host := *in.Config, *in.HostConfig
	if cfg.Hostname == in.ID[:min(shortID, len(in.ID))] {
		cfg.Hostname = ""
	}
	if m := host.NetworkMode; m.IsContainer() || m.IsHost() {
		cfg.Hostname, cfg.Domainname = "", ""
	}
	host.Links = linkTexts(host.Links)
	w.Create = &container.CreateRequest{Config: &cfg, HostConfig: &host, NetworkingConfig: asked(in)}
	return w
}

// linkTexts turns "/db:/web/alias" into "db:alias".
func linkTexts(list []string) (out []string) {
	for _, l := range list {
		from, to, _ := strings.Cut(l, ":")
		out = append(out, strings.TrimPrefix(from, "/")+":"+path.Base(to))
	}
	return out
}

// asked is what was asked of a container's networks, not what came of it.
func asked(in *container.InspectResponse) *network.NetworkingConfig {
	out := &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{}}
	if in.NetworkSettings == nil {
		return out
	}
	for name, e := range in.NetworkSettings.Networks {
		if e == nil || name == network.NetworkBridge || name == network.NetworkHost || name == network.NetworkNone {
			continue
		}
		ep := &network.EndpointSettings{IPAMConfig: e.IPAMConfig, Links: linkTexts(e.Links), DriverOpts: e.DriverOpts, GwPriority: e.GwPriority}
		for _, a := range e.Aliases {
			if a != in.ID[:min(shortID, len(in.ID))] {
				ep.Aliases = append(ep.Aliases, a)
			}
		}
		out.EndpointsConfig[name] = ep
	}
	return out
}

// plain is a request without what follows from the image and from an engine's defaults. Nothing of w is changed.
func plain(w Wanted) container.CreateRequest {
	cfg, host, nets := *w.Create.Config, container.HostConfig{}, network.NetworkingConfig{}
	if w.Create.HostConfig != nil {
		host = *w.Create.HostConfig
	}
	if w.Create.NetworkingConfig != nil {
		nets = *w.Create.NetworkingConfig
	}
	cfg.AttachStdin, cfg.AttachStdout, cfg.AttachStderr, cfg.StdinOnce = false, false, false, false
	cfg.OnBuild, cfg.ArgsEscaped, cfg.Shell = nil, false, nil
	if w.Image != nil {
		lessImage(&cfg, w.Image)
	}
	cfg.ExposedPorts = maps.Clone(cfg.ExposedPorts)
	for p := range host.PortBindings {
		if cfg.ExposedPorts == nil {
			cfg.ExposedPorts = network.PortSet{}
		}
		cfg.ExposedPorts[p] = struct{}{}
	}
	lessDefaults(&host)
	if m := host.NetworkMode; m != "" && m.IsUserDefined() { // links are the network's there, and both say them
		nets.EndpointsConfig = maps.Clone(nets.EndpointsConfig)
		if e := nets.EndpointsConfig[string(m)]; e != nil {
			for _, l := range e.Links {
				if !slices.Contains(host.Links, l) {
					host.Links = append(slices.Clone(host.Links), l)
				}
			}
		}
		if len(host.Links) > 0 {
			ep := network.EndpointSettings{}
			if e := nets.EndpointsConfig[string(m)]; e != nil {
				ep = *e
			}
			ep.Links = host.Links
			if nets.EndpointsConfig == nil {
				nets.EndpointsConfig = map[string]*network.EndpointSettings{}
			}
			nets.EndpointsConfig[string(m)] = &ep
		}
	}
	return container.CreateRequest{Config: &cfg, HostConfig: &host, NetworkingConfig: &nets}
}

// lessImage takes away what the image says itself.
func lessImage(c *container.Config, img *dockerspec.DockerOCIImageConfig) {
	c.Env = slices.DeleteFunc(slices.Clone(c.Env), func(e string) bool { return slices.Contains(img.Env, e) })
	c.Labels = maps.Clone(c.Labels)
	maps.DeleteFunc(c.Labels, func(k, v string) bool { return img.Labels[k] == v && v != "" })
	c.Volumes = maps.Clone(c.Volumes)
	maps.DeleteFunc(c.Volumes, func(k string, _ struct{}) bool { _, ok := img.Volumes[k]; return ok })
	c.ExposedPorts = maps.Clone(c.ExposedPorts)
	maps.DeleteFunc(c.ExposedPorts, func(p network.Port, _ struct{}) bool {
		_, full := img.ExposedPorts[p.String()]
		_, short := img.ExposedPorts[strings.TrimSuffix(p.String(), "/tcp")]
		return full || short
	})
	if slices.Equal(c.Entrypoint, img.Entrypoint) {
		c.Entrypoint = nil
		if slices.Equal(c.Cmd, img.Cmd) {
			c.Cmd = nil
		}
	}
	for _, f := range []struct {
		to   *string
		from string
	}{{&c.WorkingDir, img.WorkingDir}, {&c.User, img.User}, {&c.StopSignal, img.StopSignal}} {
		if *f.to == f.from {
			*f.to = ""
		}
	}
	if h, own := img.Healthcheck, c.Healthcheck; h != nil && own != nil && slices.Equal(h.Test, own.Test) &&
		h.Interval == own.Interval && h.Timeout == own.Timeout && h.StartPeriod == own.StartPeriod &&
		h.StartInterval == own.StartInterval && h.Retries == own.Retries {
		c.Healthcheck = nil
	}
}

// lessDefaults takes away what an engine puts where nothing was asked.
func lessDefaults(h *container.HostConfig) {
	h.ConsoleSize, h.MaskedPaths, h.ReadonlyPaths, h.ContainerIDFile = [2]uint{}, nil, nil, ""
	if h.Runtime == "runc" {
		h.Runtime = ""
	}
	if h.ShmSize == shmDefault {
		h.ShmSize = 0
	}
	if h.IpcMode == container.IPCModePrivate {
		h.IpcMode = ""
	}
	if h.CgroupnsMode == container.CgroupnsModePrivate {
		h.CgroupnsMode = ""
	}
	if h.LogConfig.Type == "json-file" && len(h.LogConfig.Config) == 0 {
		h.LogConfig = container.LogConfig{}
	}
	if h.RestartPolicy.Name == container.RestartPolicyDisabled {
		h.RestartPolicy.Name = ""
	}
	if h.NetworkMode.IsBridge() || h.NetworkMode.IsDefault() || h.NetworkMode == "" {
		h.NetworkMode = ""
	}
	if h.Memory > 0 && h.MemorySwap == 2*h.Memory {
		h.MemorySwap = 0
	}
	if h.PidsLimit != nil && *h.PidsLimit == 0 {
		h.PidsLimit = nil
	}
	if h.OomKillDisable != nil && !*h.OomKillDisable {
		h.OomKillDisable = nil
	}
}
