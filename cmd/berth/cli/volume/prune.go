package volume

import (
	"fmt"
	"strings"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/docker/cli/opts"
	"github.com/docker/go-units"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newPrune(s *session.Session) *cobra.Command {
	var force, all bool
	filter := opts.NewFilterOpt()
	c := &cobra.Command{Use: "prune [OPTIONS]", Short: "Remove unused local volumes", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		what := "anonymous local volumes"
		if all {
			what = "all local volumes"
		}
		if !force && !s.Confirm("WARNING! This will remove "+what+" not used by at least one container.\nAre you sure you want to continue?") {
			return nil
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.VolumePrune(c.Context(), client.VolumePruneOptions{Filters: filter.Value(), All: all})
		if err != nil {
			return err
		}
		if len(r.Report.VolumesDeleted) > 0 {
			fmt.Fprintf(s.Out, "Deleted Volumes:\n%s\n\n", strings.Join(r.Report.VolumesDeleted, "\n"))
		}
		fmt.Fprintln(s.Out, "Total reclaimed space:", units.HumanSize(float64(r.Report.SpaceReclaimed)))
		return nil
	}
	f := c.Flags()
	f.BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation")
	f.BoolVarP(&all, "all", "a", false, "Remove all unused volumes, not just anonymous ones")
	c.Flags().Var(&filter, "filter", "Provide filter values (e.g. \"until=24h\")")
	return c
}
