package moving

import (
	"path"
	"slices"
	"strings"

	apicontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
)

// shortID is how much of an ID stands for it.
const shortID = 12

// recreate turns what inspect says of a container into what creates it again.
func recreate(c container, all []container, image string) client.ContainerCreateOptions {
	cfg, host := *c.spec.Config, *c.spec.HostConfig
	cfg.Image = image
	if cfg.Hostname == c.spec.ID[:min(shortID, len(c.spec.ID))] {
		cfg.Hostname = "" // it was not chosen
	}
	if host.NetworkMode.IsContainer() || host.NetworkMode.IsHost() {
		cfg.Hostname, cfg.Domainname, cfg.ExposedPorts = "", "", nil // they are the other's
	}
	host.NetworkMode = apicontainer.NetworkMode(byName(string(host.NetworkMode), all))
	host.IpcMode = apicontainer.IpcMode(byName(string(host.IpcMode), all))
	host.PidMode = apicontainer.PidMode(byName(string(host.PidMode), all))
	host.VolumesFrom = slices.Clone(host.VolumesFrom)
	for i, from := range host.VolumesFrom {
		id, mode, cut := strings.Cut(from, ":")
		host.VolumesFrom[i] = nameOf(id, all)
		if cut {
			host.VolumesFrom[i] += ":" + mode
		}
	}
	host.Links = links(host.Links)
	host.Mounts = slices.Concat(host.Mounts, anonymous(c))
	host.ContainerIDFile = ""
	return client.ContainerCreateOptions{Name: c.name, Config: &cfg, HostConfig: &host, NetworkingConfig: endpoints(c)}
}

// byName replaces the ID in "container:ID", which is another one here.
func byName(mode string, all []container) string {
	id, ok := strings.CutPrefix(mode, "container:")
	if !ok {
		return mode
	}
	return "container:" + nameOf(id, all)
}

func nameOf(id string, all []container) string {
	for _, c := range all {
		if c.spec.ID == id {
			return c.name
		}
	}
	return id
}

// links turns "/db:/web/alias" into "db:alias".
func links(list []string) (out []string) {
	for _, l := range list {
		from, to, _ := strings.Cut(l, ":")
		out = append(out, strings.TrimPrefix(from, "/")+":"+path.Base(to))
	}
	return out
}

// anonymous are the volumes that an image or a bare path brought: here they are named, so that they are the same.
func anonymous(c container) (out []mount.Mount) {
	asked := map[string]bool{}
	for _, b := range c.spec.HostConfig.Binds {
		if parts := strings.Split(b, ":"); len(parts) > 1 {
			asked[path.Clean(parts[1])] = true
		}
	}
	for _, mnt := range c.spec.HostConfig.Mounts {
		if mnt.Source != "" || mnt.Type != mount.TypeVolume {
			asked[path.Clean(mnt.Target)] = true
		}
	}
	for _, mnt := range c.spec.Mounts {
		if mnt.Type == mount.TypeVolume && !asked[path.Clean(mnt.Destination)] && len(c.spec.HostConfig.VolumesFrom) == 0 {
			out = append(out, mount.Mount{Type: mount.TypeVolume, Source: mnt.Name, Target: mnt.Destination, ReadOnly: !mnt.RW})
		}
	}
	return out
}

// endpoints are what was asked of the container's networks, not what came of it.
func endpoints(c container) *network.NetworkingConfig {
	mode := c.spec.HostConfig.NetworkMode
	if c.spec.NetworkSettings == nil || mode.IsContainer() || mode.IsHost() || mode.IsNone() {
		return nil
	}
	out := map[string]*network.EndpointSettings{}
	for name, e := range c.spec.NetworkSettings.Networks {
		if name == network.NetworkBridge {
			continue // the default one takes no wishes
		}
		ep := &network.EndpointSettings{IPAMConfig: e.IPAMConfig, Links: links(e.Links), DriverOpts: e.DriverOpts, GwPriority: e.GwPriority}
		for _, a := range e.Aliases {
			if a != c.spec.ID[:min(shortID, len(c.spec.ID))] {
				ep.Aliases = append(ep.Aliases, a)
			}
		}
		out[name] = ep
	}
	return &network.NetworkingConfig{EndpointsConfig: out}
}

// dropAddresses gives up fixed addresses; false where there are none.
func dropAddresses(n *network.NetworkingConfig) (any bool) {
	if n == nil {
		return false
	}
	for _, e := range n.EndpointsConfig {
		any = any || e.IPAMConfig != nil
		e.IPAMConfig = nil
	}
	return any
}
