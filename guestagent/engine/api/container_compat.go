package api

import (
	"net"
	"slices"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
)

// fieldGate says from which minor version on a field of a create is heeded. An older client cannot have meant it, or
// meant its old default, so drop makes the request what that client's engine would have made of it.
type fieldGate struct {
	since int
	field string
	drop  func(*container.CreateRequest)
}

// createGates are the fields of POST /containers/create by version, newest first.
func createGates() []fieldGate {
	return []fieldGate{
		{56, "HostConfig.Umask", func(r *container.CreateRequest) { r.HostConfig.Umask = nil }},
		{48, "EndpointsConfig.GwPriority", eachEndpoint(func(e *network.EndpointSettings) { e.GwPriority = 0 })},
		{46, "Mounts.TmpfsOptions.Options", eachMount(func(m *mount.Mount) {
			if m.TmpfsOptions != nil {
				m.TmpfsOptions.Options = nil
			}
		})},
		{45, "Mounts.VolumeOptions.Subpath", eachMount(func(m *mount.Mount) {
			if m.VolumeOptions != nil {
				m.VolumeOptions.Subpath = ""
			}
		})},
		{44, "Healthcheck.StartInterval", func(r *container.CreateRequest) {
			if r.Healthcheck != nil {
				r.Healthcheck.StartInterval = 0
			}
		}},
		{44, "Mounts.BindOptions.ReadOnly*", eachMount(oldReadOnly)},
		{44, "EndpointsConfig.MacAddress", eachEndpoint(func(e *network.EndpointSettings) { e.MacAddress = nil })},
		{43, "HostConfig.Annotations", func(r *container.CreateRequest) { r.HostConfig.Annotations = nil }},
		{42, "HostConfig.ConsoleSize", func(r *container.CreateRequest) { r.HostConfig.ConsoleSize = [2]uint{} }},
		{42, "Mounts.BindOptions.CreateMountpoint", eachMount(func(m *mount.Mount) {
			if m.BindOptions != nil {
				m.BindOptions.CreateMountpoint = false
			}
		})},
		{41, "HostConfig.CgroupnsMode (default host)", func(r *container.CreateRequest) {
			if r.HostConfig.CgroupnsMode.IsEmpty() {
				r.HostConfig.CgroupnsMode = container.CgroupnsModeHost
			}
		}},
		{40, "HostConfig.IpcMode (default shareable)", func(r *container.CreateRequest) {
			if r.HostConfig.IpcMode.IsEmpty() {
				r.HostConfig.IpcMode = container.IPCModeShareable
			}
		}},
		{40, "HostConfig.PidsLimit", func(r *container.CreateRequest) { r.HostConfig.PidsLimit = nil }},
		{40, "Mounts.BindOptions.NonRecursive", eachMount(func(m *mount.Mount) {
			if m.BindOptions != nil {
				m.BindOptions.NonRecursive = false
			}
		})},
		{25, "HostConfig.AutoRemove", func(r *container.CreateRequest) { r.HostConfig.AutoRemove = false }},
	}
}

func eachMount(f func(*mount.Mount)) func(*container.CreateRequest) {
	return func(r *container.CreateRequest) {
		for i := range r.HostConfig.Mounts {
			f(&r.HostConfig.Mounts[i])
		}
	}
}

func eachEndpoint(f func(*network.EndpointSettings)) func(*container.CreateRequest) {
	return func(r *container.CreateRequest) {
		for _, ep := range r.NetworkingConfig.EndpointsConfig {
			f(ep)
		}
	}
}

// oldReadOnly keeps what a read-only bind mount was before 1.44: read-only at its top only.
func oldReadOnly(m *mount.Mount) {
	if m.Type != mount.TypeBind && m.BindOptions == nil {
		return
	}
	if m.BindOptions == nil {
		m.BindOptions = &mount.BindOptions{}
	}
	m.BindOptions.ReadOnlyNonRecursive = m.Type == mount.TypeBind
	m.BindOptions.ReadOnlyForceRecursive = false
}

// adaptCreate brings an older client's request to today's meaning.
func adaptCreate(v Version, body *createBody) (warnings []string, err error) {
	req := &body.CreateRequest
	for _, gate := range createGates() {
		if v.Before(gate.since) {
			gate.drop(req)
		}
	}
	if v.Before(48) && slices.ContainsFunc(req.HostConfig.Mounts, func(m mount.Mount) bool { return m.Type == mount.TypeImage }) {
		return nil, errdefs.Invalid(`mount type "image" is only supported with API 1.48 and newer`)
	}
	if eps := req.NetworkingConfig.EndpointsConfig; v.Before(44) && len(eps) > 1 {
		return nil, errdefs.Invalid("Container cannot be created with multiple network endpoints")
	}
	if body.MacAddress == "" || !v.Before(52) {
		return nil, nil
	}
	return adaptMAC(v, body)
}

// adaptMAC moves the container's own MAC address to the endpoint of its main network.
func adaptMAC(v Version, body *createBody) ([]string, error) {
	mode := body.HostConfig.NetworkMode
	mac, err := net.ParseMAC(body.MacAddress)
	if err != nil {
		return nil, errdefs.Invalid("invalid MAC address: %s", body.MacAddress)
	}
	if mode.IsHost() || mode.IsNone() || mode.IsContainer() {
		return nil, errdefs.Invalid("conflicting options: mac-address and the network mode")
	}
	name := string(mode)
	if mode.IsDefault() {
		name = network.NetworkBridge
	}
	eps := body.NetworkingConfig.EndpointsConfig
	ep := eps[name]
	if ep == nil && mode.IsDefault() && eps[network.NetworkDefault] != nil {
		ep = eps[network.NetworkDefault]
	}
	if ep == nil {
		ep = &network.EndpointSettings{}
		eps[name] = ep
	}
	if len(ep.MacAddress) != 0 && ep.MacAddress.String() != mac.String() {
		return nil, errdefs.Invalid("the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty")
	}
	ep.MacAddress = network.HardwareAddr(mac)
	if v.Before(44) {
		return nil, nil
	}
	return []string{"The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead."}, nil
}
