package container

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newUnpause(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "unpause CONTAINER [CONTAINER...]", Short: "Unpause all processes within one or more containers", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s, false)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		return s.Each(args, func(n string) (string, error) {
			_, err := cl.ContainerUnpause(c.Context(), n, client.ContainerUnpauseOptions{})
			return n, err
		})
	}
	return c
}
