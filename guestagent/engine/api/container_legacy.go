package api

import (
	"net/netip"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/storage"
)

// legacyInspect is GET /containers/{id}/json before 1.52.
type legacyInspect struct {
	*container.InspectResponse
	Config          *legacyConfig
	NetworkSettings *legacyNetworkSettings
}

// legacyConfig says again the MAC address that the container once had of its own.
type legacyConfig struct {
	*container.Config
	MacAddress string   `json:",omitempty"`
	OnBuild    []string // was never left out
}

// legacyNetworkSettings adds the fields that describe the container's place on the default bridge.
type legacyNetworkSettings struct {
	*container.NetworkSettings
	Bridge                 string
	HairpinMode            bool
	LinkLocalIPv6Address   string
	LinkLocalIPv6PrefixLen int
	SecondaryIPAddresses   []string
	SecondaryIPv6Addresses []string
	EndpointID             string
	Gateway                string
	GlobalIPv6Address      string
	GlobalIPv6PrefixLen    int
	IPAddress              string
	IPPrefixLen            int
	IPv6Gateway            string
	MacAddress             string
}

// inspectFor gives the answer in the shape of a version.
func inspectFor(v Version, resp *container.InspectResponse) any {
	if !v.Before(52) {
		return resp
	}
	short := *resp
	short.GraphDriver = &storage.DriverData{Name: resp.Driver}
	short.Storage = nil
	if v.Before(48) {
		short.ImageManifestDescriptor = nil
	}
	out := legacyInspect{InspectResponse: &short}
	if resp.NetworkSettings != nil {
		out.NetworkSettings = &legacyNetworkSettings{NetworkSettings: resp.NetworkSettings}
		out.NetworkSettings.describe(resp.NetworkSettings.Networks[network.NetworkBridge])
	}
	if resp.Config != nil {
		out.Config = &legacyConfig{Config: resp.Config, OnBuild: resp.Config.OnBuild}
		if resp.HostConfig != nil && resp.NetworkSettings != nil {
			out.Config.MacAddress = mainMAC(resp.HostConfig.NetworkMode, resp.NetworkSettings.Networks)
		}
	}
	return out
}

func (n *legacyNetworkSettings) describe(ep *network.EndpointSettings) {
	if ep == nil {
		return
	}
	n.EndpointID, n.MacAddress = ep.EndpointID, ep.MacAddress.String()
	n.Gateway, n.IPAddress, n.IPPrefixLen = text(ep.Gateway), text(ep.IPAddress), ep.IPPrefixLen
	n.IPv6Gateway, n.GlobalIPv6Address, n.GlobalIPv6PrefixLen = text(ep.IPv6Gateway), text(ep.GlobalIPv6Address), ep.GlobalIPv6PrefixLen
}

// text is an address, or "" for none.
func text(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func mainMAC(mode container.NetworkMode, eps map[string]*network.EndpointSettings) string {
	name := string(mode)
	if mode.IsDefault() {
		name = network.NetworkBridge
	}
	if ep := eps[name]; ep != nil {
		return ep.MacAddress.String()
	}
	return ""
}
