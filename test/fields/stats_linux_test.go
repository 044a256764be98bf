package fields

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// Figures are the kernel's own. The container is frozen when they are compared, so that they stand still.
func TestStats(t *testing.T) {
	w := harness.New(t)
	id, _ := create(w, "busy", object{"Image": "bb", "Cmd": []string{"sh", "-c", "dd if=/dev/zero of=/f bs=64k count=320 conv=fsync 2>/dev/null; ping -c 2 -i 0.05 $(ip route | sed -n 's/default via \\([0-9.]*\\).*/\\1/p') >/dev/null; echo done; while :; do :; done"}},
		object{"Memory": 12 << 20, "PidsLimit": 30, "CpuPeriod": 10000, "CpuQuota": 2000})
	w.Begin(id)
	w.Eventually("it has written", func() bool { out, _ := w.Logs(id); return out == "done\n" })
	pid := w.Inspect(id).State.Pid
	w.Eventually("it was throttled", func() bool { return cpuStat(w, pid, "nr_throttled") > 0 })
	w.Part("stream", func(w *harness.World) { stream(w, id) })
	_, err := w.API.ContainerPause(w.Ctx(), id, client.ContainerPauseOptions{})
	w.Must(err)
	periods := uint64(0) // the kernel counts on for a period or two after the freeze
	w.Eventually("the clock of its limit stands still", func() bool {
		before := periods
		time.Sleep(50 * time.Millisecond)
		periods = cpuStat(w, pid, "nr_periods")
		return before == periods
	})
	asked := time.Now()
	s := read[container.StatsResponse](w, "/containers/"+id+"/stats?stream=false&one-shot=true")
	if s.Read.Before(asked) || s.Read.After(time.Now()) || !s.PreRead.IsZero() || s.PreCPUStats.CPUUsage.TotalUsage != 0 {
		t.Errorf("of one shot: read %v, before %v", s.Read, s.PreRead)
	}
	want(w, "name, ID, system", []string{s.Name, s.ID, s.OSType}, []string{"/busy", id, "linux"})
	w.Part("cpu", func(w *harness.World) { cpu(w, pid, &s.CPUStats) })
	w.Part("memory", func(w *harness.World) { memory(w, pid, &s.MemoryStats) })
	w.Part("pids", func(w *harness.World) {
		want(w, "current", s.PidsStats.Current, number(w, file(w, cgroup(w, pid, "pids"), "pids.current")))
		want(w, "limit", s.PidsStats.Limit, uint64(30))
	})
	w.Part("block devices", func(w *harness.World) { blocks(w, pid, &s.BlkioStats) })
	w.Part("networks", func(w *harness.World) { interfaces(w, pid, s.Networks) })
	w.Part("of an ended one", func(w *harness.World) {
		ended := w.Run(harness.Spec{Cmd: []string{"true"}})
		w.Wait(ended)
		got := read[object](w, "/containers/"+ended+"/stats?stream=false&one-shot=true")
		holds(w, "stats", got, object{"id": ended, "read": "0001-01-01T00:00:00Z", "pids_stats": object{}, "memory_stats": object{}})
	})
}

// stream has the figures of each sample beside the next one's.
func stream(w *harness.World, id string) {
	r, err := w.API.ContainerStats(w.Ctx(), id, client.ContainerStatsOptions{Stream: true})
	w.Must(err)
	defer r.Body.Close()
	var first, second container.StatsResponse
	dec := json.NewDecoder(r.Body)
	w.Must(dec.Decode(&first))
	w.Must(dec.Decode(&second))
	want(w, "precpu_stats", second.PreCPUStats, first.CPUStats)
	if !second.PreRead.Equal(first.Read) || !second.Read.After(first.Read) {
		w.Errorf("read %v, then %v after %v", first.Read, second.Read, second.PreRead)
	}
	if second.CPUStats.CPUUsage.TotalUsage <= first.CPUStats.CPUUsage.TotalUsage || second.CPUStats.SystemUsage <= first.CPUStats.SystemUsage {
		w.Errorf("a busy container took no time: %+v, %+v", first.CPUStats, second.CPUStats)
	}
}

func cpuStat(w *harness.World, pid int, key string) uint64 {
	w.Helper()
	for _, line := range strings.Split(file(w, cgroup(w, pid, "cpu"), "cpu.stat"), "\n") {
		if v, ok := strings.CutPrefix(line, key+" "); ok {
			return number(w, v)
		}
	}
	w.Fatalf("cpu.stat has no %s", key)
	return 0
}

func cpu(w *harness.World, pid int, s *container.CPUStats) {
	dir := cgroup(w, pid, "cpuacct")
	want(w, "total_usage", s.CPUUsage.TotalUsage, number(w, file(w, dir, "cpuacct.usage")))
	var each []uint64
	for _, f := range strings.Fields(file(w, dir, "cpuacct.usage_percpu")) {
		each = append(each, number(w, f))
	}
	want(w, "percpu_usage", s.CPUUsage.PercpuUsage, each)
	of := strings.Fields(file(w, dir, "cpuacct.stat")) // user and system, in hundredths of a second
	want(w, "usage_in_usermode", s.CPUUsage.UsageInUsermode, number(w, of[1])*1e7)
	want(w, "usage_in_kernelmode", s.CPUUsage.UsageInKernelmode, number(w, of[3])*1e7)
	want(w, "throttling_data", s.ThrottlingData, container.ThrottlingData{
		Periods: cpuStat(w, pid, "nr_periods"), ThrottledPeriods: cpuStat(w, pid, "nr_throttled"), ThrottledTime: cpuStat(w, pid, "throttled_time")})
	var online uint32
	var total uint64
	for _, line := range strings.Split(file(w, "/proc/stat"), "\n") {
		f := strings.Fields(line)
		if len(f) > 0 && strings.HasPrefix(f[0], "cpu") && f[0] != "cpu" {
			online++
		}
		if len(f) > 8 && f[0] == "cpu" {
			for _, n := range f[1:8] {
				total += number(w, n) * uint64(time.Second/100)
			}
		}
	}
	want(w, "online_cpus", s.OnlineCPUs, online)
	if s.SystemUsage > total || total-s.SystemUsage > uint64(10*time.Second) {
		w.Errorf("system_cpu_usage: %d, now %d", s.SystemUsage, total)
	}
}

func memory(w *harness.World, pid int, s *container.MemoryStats) {
	dir := cgroup(w, pid, "memory")
	for name, v := range map[string]uint64{"usage": s.Usage, "max_usage": s.MaxUsage, "limit": s.Limit} {
		want(w, name, v, number(w, file(w, dir, "memory."+name+"_in_bytes")))
	}
	if s.Failcnt == 0 {
		w.Error("failcnt is 0 of one that wrote more than its memory")
	}
	want(w, "failcnt", s.Failcnt, number(w, file(w, dir, "memory.failcnt")))
	stat := map[string]uint64{}
	for _, line := range strings.Split(file(w, dir, "memory.stat"), "\n") {
		k, v, _ := strings.Cut(line, " ")
		stat[k] = number(w, v)
	}
	want(w, "stats", s.Stats, stat)
}

// blocks compares the lists with the files: those of the throttle where the scheduler counts nothing itself.
func blocks(w *harness.World, pid int, s *container.BlkioStats) {
	dir := cgroup(w, pid, "blkio")
	for name, list := range map[string][]container.BlkioStatEntry{"io_service_bytes": s.IoServiceBytesRecursive, "io_serviced": s.IoServicedRecursive} {
		text := ""
		for _, of := range []string{"throttle", "bfq"} {
			if b, err := os.ReadFile(filepath.Join(dir, "blkio."+of+"."+name+"_recursive")); err == nil && strings.Contains(string(b), ":") {
				text = string(b)
			}
		}
		var lines, got []string
		for _, line := range strings.Split(text, "\n") {
			if strings.Contains(line, ":") {
				lines = append(lines, line)
			}
		}
		written := false
		for _, e := range list {
			got = append(got, fmt.Sprintf("%d:%d %s %d", e.Major, e.Minor, e.Op, e.Value))
			written = written || e.Op == "Write" && e.Value > 0
		}
		want(w, name, got, lines)
		if !written {
			w.Errorf("%s: nothing was written: %q", name, got)
		}
	}
	for name, list := range map[string][]container.BlkioStatEntry{"queued": s.IoQueuedRecursive, "service_time": s.IoServiceTimeRecursive,
		"wait_time": s.IoWaitTimeRecursive, "merged": s.IoMergedRecursive, "time": s.IoTimeRecursive, "sectors": s.SectorsRecursive} {
		if list == nil {
			w.Errorf("%s is null", name)
		}
	}
}

func interfaces(w *harness.World, pid int, nets map[string]container.NetworkStats) {
	var names []string
	for _, line := range strings.Split(file(w, "/proc", strconv.Itoa(pid), "net", "dev"), "\n")[2:] {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "lo" {
			continue
		}
		names = append(names, name)
		var f []uint64
		for _, n := range strings.Fields(rest) {
			f = append(f, number(w, n))
		}
		s := nets[name]
		// A packet may come between the two.
		for i, v := range map[int]uint64{0: s.RxBytes, 1: s.RxPackets, 8: s.TxBytes, 9: s.TxPackets} {
			if v == 0 || v > f[i] || float64(v) < 0.7*float64(f[i]) {
				w.Errorf("%s, column %d: %d, not %d", name, i, v, f[i])
			}
		}
		want(w, name, []uint64{s.RxErrors, s.RxDropped, s.TxErrors, s.TxDropped}, []uint64{f[2], f[3], f[10], f[11]})
	}
	if len(names) != len(nets) || len(names) != 1 {
		w.Errorf("interfaces %v, figures %v", names, nets)
	}
}
