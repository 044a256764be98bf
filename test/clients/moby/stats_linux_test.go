package moby

import (
	"encoding/json"
	"io"
	"time"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// stats looks at a container that computes without end: a stream tells of growth, each reading with the one before it,
// a single reading has none before it unless it is asked for, and what does not run has no figures.
func stats(w *harness.World) {
	const limit = 64 << 20
	id := run(w, harness.Spec{Name: "busy", Cmd: []string{"sh", "-c", "while :; do :; done"}, Conf: func(_ *container.Config, h *container.HostConfig) {
		h.Memory = limit
	}})
	r := reading(w, id, client.ContainerStatsOptions{Stream: true})
	defer r.Close()
	dec := json.NewDecoder(r)
	var before container.StatsResponse
	for n := range 4 {
		var s container.StatsResponse
		w.Must(dec.Decode(&s))
		sane(w, s, limit)
		if s.ID != id || s.Name != "/busy" { // dockerd names it in a stream only
			w.Errorf("a reading of %q, %q", s.ID, s.Name)
		}
		if n > 0 {
			grows(w, before, s)
		}
		before = s
	}
	once := single(w, id, client.ContainerStatsOptions{})
	sane(w, once, limit)
	if !once.PreRead.IsZero() || once.PreCPUStats.CPUUsage.TotalUsage != 0 {
		w.Errorf("a single reading has one before it: %v, %+v", once.PreRead, once.PreCPUStats)
	}
	two := single(w, id, client.ContainerStatsOptions{IncludePreviousSample: true})
	if d := two.Read.Sub(two.PreRead); d < 500*time.Millisecond || d > 30*time.Second || two.PreCPUStats.CPUUsage.TotalUsage == 0 {
		w.Errorf("with the one before: %v apart, %+v", d, two.PreCPUStats)
	}
	_, err := w.API.ContainerStop(w.Ctx(), id, client.ContainerStopOptions{Timeout: new(int)})
	w.Must(err)
	dead := single(w, id, client.ContainerStatsOptions{})
	if dead.CPUStats.CPUUsage.TotalUsage != 0 || dead.MemoryStats.Usage != 0 || dead.PidsStats.Current != 0 {
		w.Errorf("of what does not run: %+v", dead)
	}
}

// sane checks what any reading of the container must have.
func sane(w *harness.World, s container.StatsResponse, limit uint64) {
	w.Helper()
	if s.Read.IsZero() || s.CPUStats.OnlineCPUs == 0 || s.CPUStats.SystemUsage == 0 ||
		s.PidsStats.Current != 1 || s.MemoryStats.Usage == 0 || s.MemoryStats.Limit != limit {
		w.Errorf("a reading: %+v", s)
	}
	if _, ok := s.Networks["eth0"]; !ok {
		w.Errorf("no eth0 among %v", s.Networks)
	}
}

// grows compares two readings in a row.
func grows(w *harness.World, a, b container.StatsResponse) {
	w.Helper()
	if !b.PreRead.Equal(a.Read) || b.PreCPUStats.CPUUsage.TotalUsage != a.CPUStats.CPUUsage.TotalUsage || b.PreCPUStats.SystemUsage != a.CPUStats.SystemUsage {
		w.Errorf("the reading before is %v (%d), but was %v (%d)", b.PreRead, b.PreCPUStats.CPUUsage.TotalUsage, a.Read, a.CPUStats.CPUUsage.TotalUsage)
	}
	if b.CPUStats.CPUUsage.TotalUsage <= a.CPUStats.CPUUsage.TotalUsage || b.CPUStats.SystemUsage <= a.CPUStats.SystemUsage {
		w.Errorf("time stands still: %+v then %+v", a.CPUStats, b.CPUStats)
	}
}

func reading(w *harness.World, id string, o client.ContainerStatsOptions) io.ReadCloser {
	w.Helper()
	res, err := w.API.ContainerStats(w.Ctx(), id, o)
	w.Must(err)
	return res.Body
}

// single reads the only reading there is.
func single(w *harness.World, id string, o client.ContainerStatsOptions) container.StatsResponse {
	w.Helper()
	r := reading(w, id, o)
	defer r.Close()
	dec := json.NewDecoder(r)
	var s container.StatsResponse
	w.Must(dec.Decode(&s))
	if err := dec.Decode(&struct{}{}); err != io.EOF {
		w.Errorf("after a single reading comes %v", err)
	}
	return s
}
