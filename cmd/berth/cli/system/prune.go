package system

import (
	"fmt"
	"strings"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/docker/go-units"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newPrune(s *session.Session) *cobra.Command {
	var force, all, volumes bool
	c := &cobra.Command{Use: "prune [OPTIONS]", Short: "Remove unused data", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		what := "  - all stopped containers\n  - all networks not used by at least one container\n"
		if volumes {
			what += "  - all anonymous volumes not used by at least one container\n"
		}
		if all {
			what += "  - all images without at least one container associated to them\n"
		} else {
			what += "  - all dangling images\n"
		}
		if !force && !s.Confirm("WARNING! This will remove:\n"+what+"\nAre you sure you want to continue?") {
			return nil
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		var total uint64
		containers, err := cl.ContainerPrune(c.Context(), client.ContainerPruneOptions{})
		if err != nil {
			return err
		}
		show(s, "Deleted Containers:", containers.Report.ContainersDeleted)
		total += containers.Report.SpaceReclaimed
		networks, err := cl.NetworkPrune(c.Context(), client.NetworkPruneOptions{})
		if err != nil {
			return err
		}
		show(s, "Deleted Networks:", networks.Report.NetworksDeleted)
		if volumes {
			v, err := cl.VolumePrune(c.Context(), client.VolumePruneOptions{})
			if err != nil {
				return err
			}
			show(s, "Deleted Volumes:", v.Report.VolumesDeleted)
			total += v.Report.SpaceReclaimed
		}
		f := client.Filters{}
		f.Add("dangling", fmt.Sprint(!all))
		images, err := cl.ImagePrune(c.Context(), client.ImagePruneOptions{Filters: f})
		if err != nil {
			return err
		}
		var names []string
		for _, i := range images.Report.ImagesDeleted {
			names = append(names, i.Untagged+i.Deleted)
		}
		show(s, "Deleted Images:", names)
		total += images.Report.SpaceReclaimed
		fmt.Fprintln(s.Out, "Total reclaimed space:", units.HumanSize(float64(total)))
		return nil
	}
	f := c.Flags()
	f.BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation")
	f.BoolVarP(&all, "all", "a", false, "Remove all unused images not just dangling ones")
	f.BoolVar(&volumes, "volumes", false, "Prune anonymous volumes")
	return c
}

func show(s *session.Session, title string, list []string) {
	if len(list) > 0 {
		fmt.Fprintf(s.Out, "%s\n%s\n\n", title, strings.Join(list, "\n"))
	}
}
