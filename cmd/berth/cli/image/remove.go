package image

import (
	"fmt"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newRemove(s *session.Session, name string) *cobra.Command {
	var force, noPrune bool
	c := &cobra.Command{Use: name + " [OPTIONS] IMAGE [IMAGE...]", Short: "Remove one or more images", Args: cobra.MinimumNArgs(1), ValidArgsFunction: Complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		return s.Each(args, func(n string) (string, error) {
			r, err := cl.ImageRemove(c.Context(), n, client.ImageRemoveOptions{Force: force, PruneChildren: !noPrune})
			for _, i := range r.Items {
				if i.Untagged != "" {
					fmt.Fprintln(s.Out, "Untagged:", i.Untagged)
				} else {
					fmt.Fprintln(s.Out, "Deleted:", i.Deleted)
				}
			}
			return "", err
		})
	}
	f := c.Flags()
	f.BoolVarP(&force, "force", "f", false, "Force removal of the image")
	f.BoolVar(&noPrune, "no-prune", false, "Do not delete untagged parents")
	return c
}
