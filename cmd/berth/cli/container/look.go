package container

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newTop(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "top CONTAINER [ps OPTIONS]", Short: "Display the running processes of a container", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s, false)}
	c.Flags().SetInterspersed(false)
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.ContainerTop(c.Context(), args[0], client.ContainerTopOptions{Arguments: args[1:]})
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(s.Out, 20, 1, 3, ' ', 0)
		fmt.Fprintln(w, strings.Join(r.Titles, "\t"))
		for _, p := range r.Processes {
			fmt.Fprintln(w, strings.Join(p, "\t"))
		}
		return w.Flush()
	}
	return c
}

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

func newDiff(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "diff CONTAINER", Short: "Inspect changes to files or directories on a container's filesystem", Args: cobra.ExactArgs(1), ValidArgsFunction: complete(s, true)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.ContainerDiff(c.Context(), args[0], client.ContainerDiffOptions{})
		if err != nil {
			return err
		}
		for _, ch := range r.Changes {
			fmt.Fprintln(s.Out, ch.Kind.String()+" "+ch.Path)
		}
		return nil
	}
	return c
}

func newExport(s *session.Session) *cobra.Command {
	var output string
	c := &cobra.Command{Use: "export [OPTIONS] CONTAINER", Short: "Export a container's filesystem as a tar archive", Args: cobra.ExactArgs(1), ValidArgsFunction: complete(s, true)}
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		var to io.Writer = s.Out
		if output == "" {
			if _, ok := s.OutTerminal(); ok {
				return errdefs.Invalid("cowardly refusing to save to a terminal. Use the -o flag or redirect")
			}
		} else {
			f, err := os.Create(output)
			if err != nil {
				return err
			}
			defer f.Close()
			to = f
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.ContainerExport(c.Context(), args[0], client.ContainerExportOptions{})
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = io.Copy(to, r)
		return err
	}
	c.Flags().StringVarP(&output, "output", "o", "", "Write to a file, instead of STDOUT")
	return c
}

func newPrune(s *session.Session) *cobra.Command {
	var force bool
	c := &cobra.Command{Use: "prune [OPTIONS]", Short: "Remove all stopped containers", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		if !force && !s.Confirm("WARNING! This will remove all stopped containers.\nAre you sure you want to continue?") {
			return nil
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.ContainerPrune(c.Context(), client.ContainerPruneOptions{})
		if err != nil {
			return err
		}
		if len(r.Report.ContainersDeleted) > 0 {
			fmt.Fprintf(s.Out, "Deleted Containers:\n%s\n\n", strings.Join(r.Report.ContainersDeleted, "\n"))
		}
		fmt.Fprintln(s.Out, "Total reclaimed space:", units.HumanSize(float64(r.Report.SpaceReclaimed)))
		return nil
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation")
	return c
}

// complete gives the names of containers to a shell; all, or those that run.
func complete(s *session.Session, all bool) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		cl, err := s.Client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		list, err := cl.ContainerList(c.Context(), client.ContainerListOptions{All: all})
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var out []string
		for _, ct := range list.Items {
			for _, n := range ct.Names {
				out = append(out, strings.TrimPrefix(n, "/"))
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}
