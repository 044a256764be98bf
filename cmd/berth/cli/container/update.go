package container

import (
	"fmt"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/docker/cli/opts"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newUpdate(s *session.Session) *cobra.Command {
	var r container.Resources
	var memory, reservation opts.MemBytes
	var swap opts.MemSwapBytes
	var cpus opts.NanoCPUs
	var pids int64
	var restart string
	c := &cobra.Command{Use: "update [OPTIONS] CONTAINER [CONTAINER...]", Short: "Update configuration of one or more containers", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s, true)}
	c.RunE = func(c *cobra.Command, args []string) error {
		if c.Flags().NFlag() == 0 {
			return errdefs.Invalid("you must provide one or more flags when using this command")
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r.Memory, r.MemoryReservation, r.MemorySwap, r.NanoCPUs = memory.Value(), reservation.Value(), swap.Value(), cpus.Value()
		if c.Flags().Changed("pids-limit") {
			r.PidsLimit = &pids
		}
		o := client.ContainerUpdateOptions{Resources: &r}
		if restart != "" {
			p, err := opts.ParseRestartPolicy(restart)
			if err != nil {
				return errdefs.Invalid("%w", err)
			}
			o.RestartPolicy = &p
		}
		return s.Each(args, func(n string) (string, error) {
			res, err := cl.ContainerUpdate(c.Context(), n, o)
			for _, w := range res.Warnings {
				fmt.Fprintln(s.Err, "WARNING:", w)
			}
			return n, err
		})
	}
	f := c.Flags()
	f.VarP(&memory, "memory", "m", "Memory limit")
	f.Var(&reservation, "memory-reservation", "Memory soft limit")
	f.Var(&swap, "memory-swap", "Swap limit equal to memory plus swap: -1 to enable unlimited swap")
	f.Var(&cpus, "cpus", "Number of CPUs")
	f.Int64VarP(&r.CPUShares, "cpu-shares", "c", 0, "CPU shares (relative weight)")
	f.Int64Var(&r.CPUPeriod, "cpu-period", 0, "Limit CPU CFS period")
	f.Int64Var(&r.CPUQuota, "cpu-quota", 0, "Limit CPU CFS quota")
	f.Int64Var(&r.CPURealtimePeriod, "cpu-rt-period", 0, "Limit the CPU real-time period in microseconds")
	f.Int64Var(&r.CPURealtimeRuntime, "cpu-rt-runtime", 0, "Limit the CPU real-time runtime in microseconds")
	f.StringVar(&r.CpusetCpus, "cpuset-cpus", "", "CPUs in which to allow execution (0-3, 0,1)")
	f.StringVar(&r.CpusetMems, "cpuset-mems", "", "MEMs in which to allow execution (0-3, 0,1)")
	f.Uint16Var(&r.BlkioWeight, "blkio-weight", 0, "Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)")
	f.Int64Var(&pids, "pids-limit", 0, "Tune container pids limit (set -1 for unlimited)")
	f.StringVar(&restart, "restart", "", "Restart policy to apply when a container exits")
	return c
}
