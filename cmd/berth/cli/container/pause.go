package container

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newPause(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "pause CONTAINER [CONTAINER...]", Short: "Pause all processes within one or more containers", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s, false)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		return s.Each(args, func(n string) (string, error) {
			_, err := cl.ContainerPause(c.Context(), n, client.ContainerPauseOptions{})
			return n, err
		})
	}
	return c
}
