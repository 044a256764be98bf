package image

import (
	"fmt"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/docker/cli/opts"
	"github.com/docker/go-units"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newPrune(s *session.Session) *cobra.Command {
	var force, all bool
	filter := opts.NewFilterOpt()
	c := &cobra.Command{Use: "prune [OPTIONS]", Short: "Remove unused images", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		what := "all dangling images"
		if all {
			what = "all images without at least one container associated to them"
		}
		if !force && !s.Confirm("WARNING! This will remove "+what+".\nAre you sure you want to continue?") {
			return nil
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		f := filter.Value()
		f.Add("dangling", fmt.Sprint(!all))
		r, err := cl.ImagePrune(c.Context(), client.ImagePruneOptions{Filters: f})
		if err != nil {
			return err
		}
		if len(r.Report.ImagesDeleted) > 0 {
			fmt.Fprintln(s.Out, "Deleted Images:")
		}
		for _, i := range r.Report.ImagesDeleted {
			if i.Untagged != "" {
				fmt.Fprintln(s.Out, "untagged:", i.Untagged)
			} else {
				fmt.Fprintln(s.Out, "deleted:", i.Deleted)
			}
		}
		if len(r.Report.ImagesDeleted) > 0 {
			fmt.Fprintln(s.Out)
		}
		fmt.Fprintln(s.Out, "Total reclaimed space:", units.HumanSize(float64(r.Report.SpaceReclaimed)))
		return nil
	}
	f := c.Flags()
	f.BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation")
	f.BoolVarP(&all, "all", "a", false, "Remove all unused images, not just dangling ones")
	f.Var(&filter, "filter", `Provide filter values (e.g. "until=<timestamp>")`)
	return c
}
