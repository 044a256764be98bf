package network

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newRemove(s *session.Session) *cobra.Command {
	var force bool
	c := &cobra.Command{Use: "rm NETWORK [NETWORK...]", Aliases: []string{"remove"}, Short: "Remove one or more networks", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		return s.Each(args, func(n string) (string, error) {
			_, err := cl.NetworkRemove(c.Context(), n, client.NetworkRemoveOptions{})
			if force && errdefs.KindOf(err) == errdefs.KindNotFound {
				return "", nil
			}
			return n, err
		})
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "Do not error if the network does not exist")
	return c
}
