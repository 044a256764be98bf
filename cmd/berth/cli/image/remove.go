package image

import (
	"fmt"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newRemove(s *session.Session, name string) *cobra.Command {
	var force, noPrune bool
	var platform []string
	c := &cobra.Command{Use: name + " [OPTIONS] IMAGE [IMAGE...]", Short: "Remove one or more images", Args: cobra.MinimumNArgs(1), ValidArgsFunction: Complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		list, err := parsePlatforms(platform...)
		if err != nil {
			return err
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		return s.Each(args, func(n string) (string, error) {
			r, err := cl.ImageRemove(c.Context(), n, client.ImageRemoveOptions{Force: force, PruneChildren: !noPrune, Platforms: list})
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
	f.StringSliceVar(&platform, "platform", nil, `Remove only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")`)
	return c
}
