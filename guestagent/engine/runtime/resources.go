//go:build linux

package runtime

import (
	"fmt"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/blkiodev"
	"github.com/moby/moby/api/types/container"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func rlimitName(name string) string { return "RLIMIT_" + strings.ToUpper(name) }

func setResources(s *specs.Spec, in Input) error {
	r, err := Resources(&in.Host.Resources)
	if err != nil {
		return err
	}
	devices := s.Linux.Resources.Devices
	s.Linux.Resources = r
	r.Devices = devices
	return nil
}

// Resources translates docker's limits into the specification's. Zero fields mean no limit and stay unset, so the
// result serves an update too. Block device paths are looked up on this machine.
func Resources(h *container.Resources) (*specs.LinuxResources, error) {
	blkio, err := blockIO(h)
	if err != nil {
		return nil, err
	}
	return &specs.LinuxResources{Memory: memory(h), CPU: cpu(h), BlockIO: blkio, Pids: pids(h)}, nil
}

func memory(h *container.Resources) *specs.LinuxMemory {
	m := &specs.LinuxMemory{}
	set := false
	put := func(to **int64, v int64) {
		if v != 0 {
			*to, set = &v, true
		}
	}
	put(&m.Limit, h.Memory)
	put(&m.Reservation, h.MemoryReservation)
	put(&m.Swap, h.MemorySwap)
	if h.Memory > 0 && h.MemorySwap == 0 {
		put(&m.Swap, h.Memory*2) // docker: as much swap again as memory
	}
	if h.MemorySwappiness != nil && *h.MemorySwappiness >= 0 {
		v := uint64(*h.MemorySwappiness)
		m.Swappiness, set = &v, true
	}
	if h.OomKillDisable != nil && *h.OomKillDisable {
		m.DisableOOMKiller, set = h.OomKillDisable, true
	}
	if !set {
		return nil
	}
	return m
}

func cpu(h *container.Resources) *specs.LinuxCPU {
	c := &specs.LinuxCPU{Cpus: h.CpusetCpus, Mems: h.CpusetMems}
	if h.CPUShares != 0 {
		v := uint64(max(h.CPUShares, 2)) // the kernel's smallest weight
		c.Shares = &v
	}
	quota, period := h.CPUQuota, uint64(max(h.CPUPeriod, 0))
	if h.NanoCPUs > 0 {
		period = 100_000 // µs
		quota = h.NanoCPUs * int64(period) / 1e9
	}
	if quota != 0 {
		c.Quota = &quota
	}
	if period != 0 {
		c.Period = &period
	}
	if h.CPURealtimePeriod != 0 {
		v := uint64(h.CPURealtimePeriod)
		c.RealtimePeriod = &v
	}
	if h.CPURealtimeRuntime != 0 {
		v := h.CPURealtimeRuntime
		c.RealtimeRuntime = &v
	}
	if *c == (specs.LinuxCPU{}) {
		return nil
	}
	return c
}

func pids(h *container.Resources) *specs.LinuxPids {
	if h.PidsLimit == nil {
		return nil
	}
	v := *h.PidsLimit
	if v <= 0 {
		v = -1
	}
	return &specs.LinuxPids{Limit: &v}
}

func blockIO(h *container.Resources) (*specs.LinuxBlockIO, error) {
	b := &specs.LinuxBlockIO{}
	if h.BlkioWeight != 0 {
		w := h.BlkioWeight
		b.Weight = &w
	}
	for _, d := range h.BlkioWeightDevice {
		major, minor, err := deviceNumber(d.Path)
		if err != nil {
			return nil, err
		}
		w := specs.LinuxWeightDevice{Weight: &d.Weight}
		w.Major, w.Minor = major, minor
		b.WeightDevice = append(b.WeightDevice, w)
	}
	for _, t := range []struct {
		from []*blkiodev.ThrottleDevice
		to   *[]specs.LinuxThrottleDevice
	}{
		{h.BlkioDeviceReadBps, &b.ThrottleReadBpsDevice}, {h.BlkioDeviceWriteBps, &b.ThrottleWriteBpsDevice},
		{h.BlkioDeviceReadIOps, &b.ThrottleReadIOPSDevice}, {h.BlkioDeviceWriteIOps, &b.ThrottleWriteIOPSDevice},
	} {
		for _, d := range t.from {
			major, minor, err := deviceNumber(d.Path)
			if err != nil {
				return nil, err
			}
			td := specs.LinuxThrottleDevice{Rate: d.Rate}
			td.Major, td.Minor = major, minor
			*t.to = append(*t.to, td)
		}
	}
	if b.Weight == nil && b.WeightDevice == nil && b.ThrottleReadBpsDevice == nil && b.ThrottleWriteBpsDevice == nil &&
		b.ThrottleReadIOPSDevice == nil && b.ThrottleWriteIOPSDevice == nil {
		return nil, nil
	}
	return b, nil
}

func deviceNumber(path string) (major, minor int64, err error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, 0, errdefs.Invalid("no such device: %s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return 0, 0, errdefs.Invalid("%s is not a block device", path)
	}
	return int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev)), nil
}

func deviceRule(rule string) (specs.LinuxDeviceCgroup, error) {
	var kind, major, minor, access string
	bad := errdefs.Invalid("invalid device cgroup rule format: '%s'", rule)
	if n, _ := fmt.Sscanf(strings.Replace(rule, ":", " ", 1), "%s %s %s %s", &kind, &major, &minor, &access); n != 4 {
		return specs.LinuxDeviceCgroup{}, bad
	}
	d := specs.LinuxDeviceCgroup{Allow: true, Type: kind, Access: access}
	for _, f := range []struct {
		s  string
		to **int64
	}{{major, &d.Major}, {minor, &d.Minor}} {
		if f.s == "*" {
			continue
		}
		var v int64
		if _, err := fmt.Sscanf(f.s, "%d", &v); err != nil || v < 0 {
			return d, bad
		}
		*f.to = &v
	}
	if !strings.Contains("abc", kind) || strings.Trim(access, "rwm") != "" {
		return d, bad
	}
	return d, nil
}
