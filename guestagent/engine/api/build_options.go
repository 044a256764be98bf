package api

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/registry"
)

// buildOptions reads the parameters of POST /build.
func (c *call) buildOptions() (BuildOptions, error) {
	q := c.query
	o := BuildOptions{
		Dockerfile: q.Get("dockerfile"), Target: q.Get("target"), Tags: q["t"], NoCache: c.flag("nocache"), Pull: c.flag("pull"),
		NetworkMode: q.Get("networkmode"), ExtraHosts: q["extrahosts"], CgroupParent: q.Get("cgroupparent"),
		Remote: q.Get("remote"), SessionID: q.Get("session"), BuildID: q.Get("buildid"),
	}
	o.KeepContainers = !c.flag("forcerm") && !c.flagOr("rm", true) && q.Get("rm") != ""
	if len(q["securityopt"]) > 0 {
		return o, errdefs.Invalid("security options are not supported on linux")
	}
	if !c.version.Before(32) {
		o.Platform = q.Get("platform")
	}
	if i := q.Get("isolation"); i != "" && i != string(container.IsolationDefault) {
		return o, errdefs.Invalid("unsupported isolation: %q", i)
	}
	switch build.BuilderVersion(q.Get("version")) {
	case build.BuilderV1, "":
	case build.BuilderBuildKit:
		o.BuildKit = true
	default:
		return o, errdefs.Invalid("invalid version %q", q.Get("version"))
	}
	if err := c.buildDocuments(&o); err != nil {
		return o, err
	}
	if c.flag("squash") {
		return o, errdefs.Invalid("squash is only supported with experimental mode")
	}
	return o, c.buildLimits(&o.Limits)
}

// buildDocuments reads the parameters that are JSON.
func (c *call) buildDocuments(o *BuildOptions) error {
	list := []struct {
		key, what string
		to        any
	}{
		{"buildargs", "error reading build args", &o.Args},
		{"labels", "error reading labels", &o.Labels},
		{"cachefrom", "error reading cache-from", &o.CacheFrom},
		{"ulimits", "error reading ulimit settings", &o.Limits.Ulimits},
	}
	if !c.version.Before(40) {
		list = append(list, struct {
			key, what string
			to        any
		}{"outputs", "invalid outputs specified", &o.Outputs})
	}
	for _, d := range list {
		text := c.query.Get(d.key)
		if text == "" {
			continue
		}
		if err := json.Unmarshal([]byte(text), d.to); err != nil {
			return errdefs.Invalid("%s: %w", d.what, err)
		}
	}
	return nil
}

// buildLimits reads numbers as dockerd does: what is none counts as 0, but for the size of /dev/shm.
func (c *call) buildLimits(l *BuildLimits) error {
	for key, to := range map[string]*int64{
		"memory": &l.Memory, "memswap": &l.MemorySwap, "cpushares": &l.CPUShares, "cpuperiod": &l.CPUPeriod, "cpuquota": &l.CPUQuota,
	} {
		*to, _ = strconv.ParseInt(c.query.Get(key), 10, 64)
	}
	l.CpusetCpus, l.CpusetMems = c.query.Get("cpusetcpus"), c.query.Get("cpusetmems")
	if text := c.query.Get("shmsize"); text != "" {
		var err error
		if l.ShmSize, err = strconv.ParseInt(text, 10, 64); err != nil {
			return errdefs.Invalid("shmsize: %w", err)
		}
	}
	return nil
}

// buildAuth reads the X-Registry-Config header: credentials by registry, JSON in base64url.
func buildAuth(h http.Header) (map[string]registry.AuthConfig, error) {
	text := h.Get("X-Registry-Config")
	if text == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil, fmt.Errorf("X-Registry-Config: %w", err)
	}
	var auth map[string]registry.AuthConfig
	if err := json.Unmarshal(b, &auth); err != nil {
		return nil, fmt.Errorf("X-Registry-Config: %w", err)
	}
	return auth, nil
}
