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

func newStop(s *session.Session) *cobra.Command {
	var sig string
	var timeout int
	c := &cobra.Command{Use: "stop [OPTIONS] CONTAINER [CONTAINER...]", Short: "Stop one or more running containers", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s, false)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		o := client.ContainerStopOptions{Signal: sig}
		if c.Flags().Changed("timeout") || c.Flags().Changed("time") {
			o.Timeout = &timeout
		}
		return s.Each(args, func(n string) (string, error) { _, err := cl.ContainerStop(c.Context(), n, o); return n, err })
	}
	stopFlags(c, &sig, &timeout, "before killing the container")
	return c
}

func stopFlags(c *cobra.Command, sig *string, timeout *int, what string) {
	f := c.Flags()
	f.StringVarP(sig, "signal", "s", "", "Signal to send to the container")
	f.IntVarP(timeout, "timeout", "t", 0, "Seconds to wait "+what)
	f.IntVar(timeout, "time", 0, "Seconds to wait "+what)
	_ = f.MarkHidden("time")
}

func newRestart(s *session.Session) *cobra.Command {
	var sig string
	var timeout int
	c := &cobra.Command{Use: "restart [OPTIONS] CONTAINER [CONTAINER...]", Short: "Restart one or more containers", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s, true)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		o := client.ContainerRestartOptions{Signal: sig}
		if c.Flags().Changed("timeout") || c.Flags().Changed("time") {
			o.Timeout = &timeout
		}
		return s.Each(args, func(n string) (string, error) { _, err := cl.ContainerRestart(c.Context(), n, o); return n, err })
	}
	stopFlags(c, &sig, &timeout, "before killing the container")
	return c
}

func newKill(s *session.Session) *cobra.Command {
	var sig string
	c := &cobra.Command{Use: "kill [OPTIONS] CONTAINER [CONTAINER...]", Short: "Kill one or more running containers", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s, false)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		return s.Each(args, func(n string) (string, error) {
			_, err := cl.ContainerKill(c.Context(), n, client.ContainerKillOptions{Signal: sig})
			return n, err
		})
	}
	c.Flags().StringVarP(&sig, "signal", "s", "", "Signal to send to the container")
	return c
}

func newRemove(s *session.Session) *cobra.Command {
	var o client.ContainerRemoveOptions
	c := &cobra.Command{Use: "rm [OPTIONS] CONTAINER [CONTAINER...]", Aliases: []string{"remove"}, Short: "Remove one or more containers", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s, true)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		return s.Each(args, func(n string) (string, error) { _, err := cl.ContainerRemove(c.Context(), n, o); return n, err })
	}
	f := c.Flags()
	f.BoolVarP(&o.Force, "force", "f", false, "Force the removal of a running container (uses SIGKILL)")
	f.BoolVarP(&o.RemoveVolumes, "volumes", "v", false, "Remove anonymous volumes associated with the container")
	f.BoolVarP(&o.RemoveLinks, "link", "l", false, "Remove the specified link")
	return c
}

func newPause(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "pause CONTAINER [CONTAINER...]", Short: "Pause all processes within one or more containers", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s, false)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		return s.Each(args, func(n string) (string, error) {
			_, err := cl.ContainerPause(c.Context(), n, client.ContainerPauseOptions{})
			return n, err
		})
	}
	return c
}

func newUnpause(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "unpause CONTAINER [CONTAINER...]", Short: "Unpause all processes within one or more containers", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s, false)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		return s.Each(args, func(n string) (string, error) {
			_, err := cl.ContainerUnpause(c.Context(), n, client.ContainerUnpauseOptions{})
			return n, err
		})
	}
	return c
}

func newRename(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "rename CONTAINER NEW_NAME", Short: "Rename a container", Args: cobra.ExactArgs(2), ValidArgsFunction: complete(s, true)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		_, err = cl.ContainerRename(c.Context(), args[0], client.ContainerRenameOptions{NewName: args[1]})
		return err
	}
	return c
}

func newWait(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "wait CONTAINER [CONTAINER...]", Short: "Block until one or more containers stop, then print their exit codes", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s, true)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		return s.Each(args, func(n string) (string, error) {
			w := cl.ContainerWait(c.Context(), n, client.ContainerWaitOptions{})
			select {
			case r := <-w.Result:
				return fmt.Sprint(r.StatusCode), nil
			case err := <-w.Error:
				return "", err
			}
		})
	}
	return c
}

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
	f.StringVar(&r.CpusetCpus, "cpuset-cpus", "", "CPUs in which to allow execution (0-3, 0,1)")
	f.StringVar(&r.CpusetMems, "cpuset-mems", "", "MEMs in which to allow execution (0-3, 0,1)")
	f.Uint16Var(&r.BlkioWeight, "blkio-weight", 0, "Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)")
	f.Int64Var(&pids, "pids-limit", 0, "Tune container pids limit (set -1 for unlimited)")
	f.StringVar(&restart, "restart", "", "Restart policy to apply when a container exits")
	return c
}
