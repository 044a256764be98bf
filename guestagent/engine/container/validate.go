//go:build linux

package container

import (
	"maps"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/berthhq/berth/guestagent/engine/runtime"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// validate checks a request as dockerd does, in its words.
func (s *Service) validate(c *container.Config, h *container.HostConfig, n *network.NetworkingConfig) ([]string, error) {
	if err := checkConfig(c); err != nil {
		return nil, err
	}
	warnings, err := checkHost(h)
	if err != nil {
		return nil, err
	}
	if err := s.checkModes(c, h, n); err != nil {
		return nil, err
	}
	if err := s.Defaults.Cgroups.CheckParent(h.CgroupParent); err != nil {
		return nil, err
	}
	discarded, err := runtime.MachineControllers().Discard(&h.Resources)
	if err != nil {
		return nil, err
	}
	warnings = append(warnings, discarded...)
	for _, k := range slices.Sorted(maps.Keys(h.StorageOpt)) {
		warnings = append(warnings, "The storage driver of this engine has no option "+k+". It has no effect.")
	}
	return warnings, runtime.ValidateHost(h)
}

func checkConfig(c *container.Config) error {
	if c.WorkingDir != "" {
		if c.WorkingDir = path.Clean(c.WorkingDir); !path.IsAbs(c.WorkingDir) {
			return errdefs.Invalid("the working directory '%s' is invalid, it needs to be an absolute path", c.WorkingDir)
		}
	}
	for _, e := range c.Env {
		if e == "" || strings.HasPrefix(e, "=") {
			return errdefs.Invalid("invalid environment variable: %s", e)
		}
		if strings.ContainsRune(e, 0) {
			return errdefs.Invalid("invalid environment variable: contains a NUL byte")
		}
	}
	for _, a := range append(append([]string{}, c.Entrypoint...), c.Cmd...) {
		if strings.ContainsRune(a, 0) {
			return errdefs.Invalid("invalid command: contains a NUL byte")
		}
	}
	if len(c.Hostname) > 63 || strings.ContainsAny(c.Hostname, " /\n\x00") {
		return errdefs.Invalid("invalid hostname: %s", c.Hostname)
	}
	if c.StopSignal != "" {
		if _, err := parseSignal(c.StopSignal); err != nil {
			return err
		}
	}
	return checkHealth(c.Healthcheck)
}

// minInterval is the shortest time of a health check that is not zero.
const minInterval = time.Millisecond

func checkHealth(h *container.HealthConfig) error {
	if h == nil {
		return nil
	}
	for _, d := range []struct {
		name string
		d    time.Duration
	}{{"Interval", h.Interval}, {"Timeout", h.Timeout}, {"StartPeriod", h.StartPeriod}, {"StartInterval", h.StartInterval}} {
		if d.d != 0 && d.d < minInterval {
			return errdefs.Invalid("%s in Healthcheck cannot be less than %s", d.name, minInterval)
		}
	}
	if h.Retries < 0 {
		return errdefs.Invalid("Retries in Healthcheck cannot be negative")
	}
	if len(h.Test) > 0 {
		switch h.Test[0] {
		case "NONE", "CMD", "CMD-SHELL":
		default:
			return errdefs.Invalid("unknown type %q in Healthcheck", h.Test[0])
		}
	}
	return nil
}

// checkHost checks what the host's part asks for by itself.
func checkHost(h *container.HostConfig) (warnings []string, err error) {
	for _, check := range []func(*container.HostConfig) error{checkRestart, checkMemory, checkCPU, checkRest} {
		if err := check(h); err != nil {
			return nil, err
		}
	}
	return []string{}, checkLog(h.LogConfig)
}

func checkRestart(h *container.HostConfig) error {
	p := h.RestartPolicy
	switch p.Name {
	case "", container.RestartPolicyDisabled:
	case container.RestartPolicyAlways, container.RestartPolicyUnlessStopped, container.RestartPolicyOnFailure:
		if h.AutoRemove {
			return errdefs.Invalid("can't create 'AutoRemove' container with restart policy")
		}
	}
	if err := container.ValidateRestartPolicy(p); err != nil {
		return errdefs.Invalid("%s", err)
	}
	return nil
}

// minMemory is docker's, in bytes.
const minMemory = 6 << 20

func checkMemory(h *container.HostConfig) error {
	switch m, swap := h.Memory, h.MemorySwap; {
	case m != 0 && m < minMemory:
		return errdefs.Invalid("Minimum memory limit allowed is 6MB")
	case m > 0 && swap > 0 && swap < m:
		return errdefs.Invalid("Minimum memoryswap limit should be larger than memory limit, see usage")
	case m == 0 && swap > 0:
		return errdefs.Invalid("You should always set the Memory limit when using Memoryswap limit, see usage")
	case swap < -1:
		return errdefs.Invalid("invalid memory swap limit: %d", swap)
	case h.MemoryReservation != 0 && h.MemoryReservation < minMemory:
		return errdefs.Invalid("Minimum memory reservation allowed is 6MB")
	case m > 0 && h.MemoryReservation > m:
		return errdefs.Invalid("Minimum memory limit can not be less than memory reservation limit, see usage")
	case h.ShmSize < 0:
		return errdefs.Invalid("SHM size can not be less than 0")
	}
	if sw := h.MemorySwappiness; sw != nil && (*sw < -1 || *sw > 100) {
		return errdefs.Invalid("invalid value: %d, valid memory swappiness range is 0-100", *sw)
	}
	return nil
}

func checkCPU(h *container.HostConfig) error {
	cpus := int64(numCPU())
	switch {
	case h.NanoCPUs > 0 && (h.CPUPeriod > 0 || h.CPUQuota > 0):
		return errdefs.Invalid("Conflicting options: Nano CPUs and CPU %s cannot both be set.", map[bool]string{true: "Period", false: "Quota"}[h.CPUPeriod > 0])
	case h.NanoCPUs < 0 || h.NanoCPUs > cpus*1e9:
		return errdefs.Invalid("range of CPUs is from 0.01 to %d.00, as there are only %d CPUs available", cpus, cpus)
	case h.CPUShares < 0:
		return errdefs.Invalid("invalid CPU shares (%d): value must be a positive integer", h.CPUShares)
	case h.CPUPeriod != 0 && (h.CPUPeriod < 1000 || h.CPUPeriod > 1_000_000):
		return errdefs.Invalid("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
	case h.CPUQuota > 0 && h.CPUQuota < 1000:
		return errdefs.Invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)")
	case h.BlkioWeight > 0 && (h.BlkioWeight < 10 || h.BlkioWeight > 1000):
		return errdefs.Invalid("range of blkio weight is from 10 to 1000")
	}
	for name, set := range map[string]string{"cpus": h.CpusetCpus, "mems": h.CpusetMems} {
		if err := checkSet(name, set); err != nil {
			return err
		}
	}
	return nil
}

func checkRest(h *container.HostConfig) error {
	if h.OomScoreAdj < -1000 || h.OomScoreAdj > 1000 {
		return errdefs.Invalid("Invalid value %d, range for oom score adj is [-1000, 1000]", h.OomScoreAdj)
	}
	if h.PidsLimit != nil && (*h.PidsLimit < -1 || *h.PidsLimit > math.MaxInt32) {
		return errdefs.Invalid("invalid pids limit: %d", *h.PidsLimit)
	}
	for _, u := range h.Ulimits {
		if u == nil {
			continue
		}
		if _, err := units.ParseUlimit(u.String()); err != nil {
			return errdefs.Invalid("%s", err)
		}
	}
	if h.Runtime != "" && h.Runtime != "runc" && h.Runtime != "io.containerd.runc.v2" {
		return errdefs.Invalid("unknown or invalid runtime name: %s", h.Runtime)
	}
	if h.Isolation != "" && !h.Isolation.IsDefault() {
		return errdefs.Invalid("invalid isolation '%s' on linux", h.Isolation)
	}
	for k := range h.Annotations {
		if k == "" {
			return errdefs.Invalid("invalid Annotations: the empty string is not permitted as an annotation key")
		}
	}
	return nil
}
