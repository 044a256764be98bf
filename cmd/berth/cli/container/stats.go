package container

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newStats(s *session.Session) *cobra.Command {
	var noStream bool
	c := &cobra.Command{Use: "stats [OPTIONS] CONTAINER [CONTAINER...]", Short: "Display resource usage of containers once", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s, false)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(s.Out, 10, 1, 3, ' ', 0)
		fmt.Fprintln(w, "CONTAINER ID\tNAME\tCPU %\tMEM USAGE / LIMIT\tPIDS")
		for _, n := range args {
			r, err := cl.ContainerStats(c.Context(), n, client.ContainerStatsOptions{IncludePreviousSample: true})
			if err != nil {
				return err
			}
			var st container.StatsResponse
			err = json.NewDecoder(r.Body).Decode(&st)
			r.Body.Close()
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "%.12s\t%s\t%.2f%%\t%s / %s\t%d\n", st.ID, strings.TrimPrefix(st.Name, "/"), cpuPercent(&st),
				units.BytesSize(float64(st.MemoryStats.Usage)), units.BytesSize(float64(st.MemoryStats.Limit)), st.PidsStats.Current)
		}
		return w.Flush()
	}
	c.Flags().BoolVar(&noStream, "no-stream", true, "One sample and no more (always so here)")
	_ = c.Flags().MarkHidden("no-stream")
	return c
}

func cpuPercent(st *container.StatsResponse) float64 {
	cpu := float64(st.CPUStats.CPUUsage.TotalUsage) - float64(st.PreCPUStats.CPUUsage.TotalUsage)
	system := float64(st.CPUStats.SystemUsage) - float64(st.PreCPUStats.SystemUsage)
	if cpu <= 0 || system <= 0 {
		return 0
	}
	return cpu / system * float64(st.CPUStats.OnlineCPUs) * 100
}
