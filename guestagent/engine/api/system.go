package api

import (
	"io"
	"net/http"

	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/system"
)

// ping must stay cheap: every client begins with it.
func (s *Server) ping(c *call) error {
	h := c.w.Header()
	h.Set("Cache-Control", "no-cache, no-store, must-revalidate")
	h.Set("Pragma", "no-cache")
	h.Set("Builder-Version", string(build.BuilderBuildKit))
	h.Set("Swarm", "inactive")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	if c.r.Method == http.MethodHead {
		h.Set("Content-Length", "0")
		c.w.WriteHeader(http.StatusOK)
		return nil
	}
	_, err := io.WriteString(c.w, "OK")
	return err
}

// systemVersion says the API's versions itself: the engine does not know them.
func (s *Server) systemVersion(c *call) error {
	v, err := s.System.Version(c.ctx())
	if err != nil {
		return err
	}
	v.APIVersion, v.MinAPIVersion = Newest().String(), Oldest().String()
	for _, part := range v.Components {
		if part.Name == "Engine" && part.Details != nil {
			part.Details["ApiVersion"], part.Details["MinAPIVersion"] = v.APIVersion, v.MinAPIVersion
		}
	}
	return writeJSON(c.w, http.StatusOK, v)
}

// legacyInfo adds the fields that were there before 1.50.
type legacyInfo struct {
	*system.Info
	BridgeNfIptables  bool `json:"BridgeNfIptables"`
	BridgeNfIP6tables bool `json:"BridgeNfIp6tables"`
}

func (s *Server) systemInfo(c *call) error {
	full, err := s.System.Info(c.ctx())
	if err != nil {
		return err
	}
	info := *full
	info.Warnings = notNil(info.Warnings)
	for _, gate := range infoGates() {
		if c.version.Before(gate.since) {
			gate.drop(&info)
		}
	}
	if c.version.Before(50) {
		return writeJSON(c.w, http.StatusOK, legacyInfo{Info: &info})
	}
	return writeJSON(c.w, http.StatusOK, info)
}

type infoGate struct {
	since int
	field string
	drop  func(*system.Info)
}

// infoGates are the fields of GET /info by the minor version that brought them.
func infoGates() []infoGate {
	return []infoGate{
		{53, "NRI", func(i *system.Info) { i.NRI = nil }},
		{50, "DiscoveredDevices", func(i *system.Info) { i.DiscoveredDevices = nil }},
		{49, "FirewallBackend", func(i *system.Info) { i.FirewallBackend = nil }},
		{46, "Containerd", func(i *system.Info) { i.Containerd = nil }},
		{44, "Runtimes.status", func(i *system.Info) {
			old := map[string]system.RuntimeWithStatus{}
			for name, rt := range i.Runtimes {
				rt.Status = nil
				old[name] = rt
			}
			i.Runtimes = old
		}},
	}
}
