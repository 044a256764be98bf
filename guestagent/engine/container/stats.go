//go:build linux

package container

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/opencontainers/cgroups"
)

// ContainerStats takes one sample of a container's figures. One that does not run has its names only.
func (s *Service) ContainerStats(ctx context.Context, ref string) (container.StatsResponse, error) {
	out := container.StatsResponse{OSType: "linux"}
	e, err := s.find(ref)
	if err != nil {
		return out, err
	}
	r := e.snapshot()
	out.ID, out.Name = r.ID, "/"+r.Name
	if !r.State.running() {
		return out, nil
	}
	raw, err := s.Runtime.Stats(ctx, r.ID)
	if err != nil {
		if errdefs.KindOf(err) == errdefs.KindNotFound || errdefs.KindOf(err) == errdefs.KindConflict {
			return out, nil // it has just ended
		}
		return out, err
	}
	var st cgroups.Stats
	if err := json.Unmarshal(raw, &st); err != nil {
		return out, errdefs.System("figures of container %s: %w", r.Name, err)
	}
	out.Read = time.Now()
	out.CPUStats = cpuStats(&st)
	out.MemoryStats = memoryStats(&st)
	out.PidsStats = container.PidsStats{Current: st.PidsStats.Current, Limit: st.PidsStats.Limit}
	out.BlkioStats = blkioStats(&st.BlkioStats, s.Defaults.Cgroups.Version)
	if !r.Host.NetworkMode.IsHost() {
		out.Networks = netStats(r.State.Pid)
	}
	return out, nil
}

func cpuStats(st *cgroups.Stats) container.CPUStats {
	c := st.CpuStats
	return container.CPUStats{
		CPUUsage: container.CPUUsage{
			TotalUsage: c.CpuUsage.TotalUsage, PercpuUsage: c.CpuUsage.PercpuUsage,
			UsageInKernelmode: c.CpuUsage.UsageInKernelmode, UsageInUsermode: c.CpuUsage.UsageInUsermode,
		},
		SystemUsage: machineCPU(), OnlineCPUs: uint32(runtime.NumCPU()),
		ThrottlingData: container.ThrottlingData{
			Periods: c.ThrottlingData.Periods, ThrottledPeriods: c.ThrottlingData.ThrottledPeriods, ThrottledTime: c.ThrottlingData.ThrottledTime,
		},
	}
}

func memoryStats(st *cgroups.Stats) container.MemoryStats {
	m := st.MemoryStats
	out := container.MemoryStats{
		Usage: m.Usage.Usage, MaxUsage: m.Usage.MaxUsage, Failcnt: m.Usage.Failcnt, Limit: m.Usage.Limit, Stats: m.Stats,
	}
	if total := MachineMemory(); out.Limit > total && total > 0 {
		out.Limit = total
	}
	return out
}

// blkioStats are those of the kernel: lists of which it has nothing are empty, and null where cgroups of version 2 do
// not have them, as dockerd's.
func blkioStats(b *cgroups.BlkioStats, version string) container.BlkioStats {
	if version == "2" {
		return container.BlkioStats{IoServiceBytesRecursive: blkio(b.IoServiceBytesRecursive)}
	}
	return container.BlkioStats{
		IoServiceBytesRecursive: blkio(b.IoServiceBytesRecursive), IoServicedRecursive: blkio(b.IoServicedRecursive),
		IoQueuedRecursive: blkio(b.IoQueuedRecursive), IoServiceTimeRecursive: blkio(b.IoServiceTimeRecursive),
		IoWaitTimeRecursive: blkio(b.IoWaitTimeRecursive), IoMergedRecursive: blkio(b.IoMergedRecursive),
		IoTimeRecursive: blkio(b.IoTimeRecursive), SectorsRecursive: blkio(b.SectorsRecursive),
	}
}

func blkio(in []cgroups.BlkioStatEntry) []container.BlkioStatEntry {
	out := make([]container.BlkioStatEntry, 0, len(in))
	for _, b := range in {
		out = append(out, container.BlkioStatEntry{Major: b.Major, Minor: b.Minor, Op: b.Op, Value: b.Value})
	}
	return out
}

// machineCPU is the time all CPUs of the machine have run, in nanoseconds (proc_stat(5), hundredths of a second).
func machineCPU() uint64 {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(b), "\n")
	f := strings.Fields(line)
	var total uint64
	for _, v := range f[1:min(len(f), 8)] {
		n, _ := strconv.ParseUint(v, 10, 64)
		total += n
	}
	return total * uint64(time.Second/100)
}

// MachineMemory is the machine's memory in bytes, 0 where it cannot be told.
func MachineMemory() uint64 {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			n, _ := strconv.ParseUint(strings.Fields(v)[0], 10, 64)
			return n << 10
		}
	}
	return 0
}

// netStats reads the interfaces of a process's network namespace (proc_pid_net(5), dev).
func netStats(pid int) map[string]container.NetworkStats {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/dev", pid))
	if err != nil {
		return nil
	}
	out := map[string]container.NetworkStats{}
	for line := range strings.Lines(string(b)) {
		name, rest, ok := strings.Cut(line, ":")
		f := strings.Fields(rest)
		if name = strings.TrimSpace(name); !ok || name == "lo" || len(f) < 12 {
			continue
		}
		n := func(i int) uint64 { v, _ := strconv.ParseUint(f[i], 10, 64); return v }
		out[name] = container.NetworkStats{
			RxBytes: n(0), RxPackets: n(1), RxErrors: n(2), RxDropped: n(3), TxBytes: n(8), TxPackets: n(9), TxErrors: n(10), TxDropped: n(11),
		}
	}
	return out
}
