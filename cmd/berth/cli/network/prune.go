package network

import (
	"fmt"
	"strings"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/docker/cli/opts"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newPrune(s *session.Session) *cobra.Command {
	var force bool
	filter := opts.NewFilterOpt()
	c := &cobra.Command{Use: "prune [OPTIONS]", Short: "Remove all unused networks", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		if !force && !s.Confirm("WARNING! This will remove all custom networks not used by at least one container.\nAre you sure you want to continue?") {
			return nil
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.NetworkPrune(c.Context(), client.NetworkPruneOptions{Filters: filter.Value()})
		if err != nil {
			return err
		}
		if len(r.Report.NetworksDeleted) > 0 {
			fmt.Fprintf(s.Out, "Deleted Networks:\n%s\n\n", strings.Join(r.Report.NetworksDeleted, "\n"))
		}
		return nil
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation")
	c.Flags().Var(&filter, "filter", "Provide filter values (e.g. \"until=24h\")")
	return c
}
