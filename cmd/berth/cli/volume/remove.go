package volume

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newRemove(s *session.Session) *cobra.Command {
	var force bool
	c := &cobra.Command{Use: "rm [OPTIONS] VOLUME [VOLUME...]", Aliases: []string{"remove"}, Short: "Remove one or more volumes", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		return s.Each(args, func(n string) (string, error) {
			_, err := cl.VolumeRemove(c.Context(), n, client.VolumeRemoveOptions{Force: force})
			return n, err
		})
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "Force the removal of one or more volumes")
	return c
}
