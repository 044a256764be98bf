package container

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

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
