package container

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newRestart(s *session.Session) *cobra.Command {
	var sig string
	var timeout int
	c := &cobra.Command{Use: "restart [OPTIONS] CONTAINER [CONTAINER...]", Short: "Restart one or more containers", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s, true)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		o := client.ContainerRestartOptions{Signal: sig}
		if c.Flags().Changed("timeout") || c.Flags().Changed("time") {
			o.Timeout = &timeout
		}
		return s.Each(args, func(n string) (string, error) { _, err := cl.ContainerRestart(c.Context(), n, o); return n, err })
	}
	stopFlags(c, &sig, &timeout, "before killing the container")
	return c
}
