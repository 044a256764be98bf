package container

import (
	"fmt"
	"strings"

	"github.com/docker/cli/cli/command/formatter"
	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
)

const statsTable = "table {{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}"

// statsSample is one row, with the columns that templates name. st is nil until the first sample came.
type statsSample struct {
	formatter.HeaderContext
	asked string
	st    *container.StatsResponse
	trunc bool
}

// MarshalJSON gives the columns.
func (r *statsSample) MarshalJSON() ([]byte, error) { return formatter.MarshalJSON(r) }

// Container is what was asked for.
func (r *statsSample) Container() string { return r.asked }

// Name is the container's.
func (r *statsSample) Name() string {
	if r.st == nil {
		return "--"
	}
	return strings.TrimPrefix(r.st.Name, "/")
}

// ID is the container's, its beginning where rows are shortened.
func (r *statsSample) ID() string {
	switch {
	case r.st == nil:
		return "--"
	case r.trunc:
		return short(r.st.ID)
	}
	return r.st.ID
}

// CPUPerc is the share of one processor.
func (r *statsSample) CPUPerc() string {
	if r.st == nil {
		return "--"
	}
	return fmt.Sprintf("%.2f%%", cpuPercent(r.st))
}

// MemUsage is memory in use, without files that the kernel may drop, and its limit.
func (r *statsSample) MemUsage() string {
	if r.st == nil {
		return "-- / --"
	}
	return units.BytesSize(float64(memory(&r.st.MemoryStats))) + " / " + units.BytesSize(float64(r.st.MemoryStats.Limit))
}

// MemPerc is the share of the limit.
func (r *statsSample) MemPerc() string {
	if r.st == nil {
		return "--"
	}
	share := 0.0
	if limit := r.st.MemoryStats.Limit; limit > 0 {
		share = float64(memory(&r.st.MemoryStats)) / float64(limit) * 100
	}
	return fmt.Sprintf("%.2f%%", share)
}

// NetIO is what was received and sent.
func (r *statsSample) NetIO() string {
	if r.st == nil {
		return "-- / --"
	}
	var in, out float64
	for _, n := range r.st.Networks {
		in, out = in+float64(n.RxBytes), out+float64(n.TxBytes)
	}
	return units.HumanSizeWithPrecision(in, 3) + " / " + units.HumanSizeWithPrecision(out, 3)
}

// BlockIO is what was read and written.
func (r *statsSample) BlockIO() string {
	if r.st == nil {
		return "-- / --"
	}
	var in, out float64
	for _, e := range r.st.BlkioStats.IoServiceBytesRecursive {
		switch strings.ToLower(e.Op) {
		case "read":
			in += float64(e.Value)
		case "write":
			out += float64(e.Value)
		}
	}
	return units.HumanSizeWithPrecision(in, 3) + " / " + units.HumanSizeWithPrecision(out, 3)
}

// PIDs is the number of processes and threads.
func (r *statsSample) PIDs() string {
	if r.st == nil {
		return "--"
	}
	return fmt.Sprint(r.st.PidsStats.Current)
}

func cpuPercent(st *container.StatsResponse) float64 {
	cpu := float64(st.CPUStats.CPUUsage.TotalUsage) - float64(st.PreCPUStats.CPUUsage.TotalUsage)
	system := float64(st.CPUStats.SystemUsage) - float64(st.PreCPUStats.SystemUsage)
	if cpu <= 0 || system <= 0 {
		return 0
	}
	return cpu / system * float64(st.CPUStats.OnlineCPUs) * 100
}

// memory leaves out the files that nothing used lately: cgroup v1 and v2 name them differently.
func memory(m *container.MemoryStats) uint64 {
	for _, key := range []string{"total_inactive_file", "inactive_file"} {
		if v, ok := m.Stats[key]; ok && v < m.Usage {
			return m.Usage - v
		}
	}
	return m.Usage
}
