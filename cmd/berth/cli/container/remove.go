package container

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newRemove(s *session.Session) *cobra.Command {
	var o client.ContainerRemoveOptions
	c := &cobra.Command{Use: "rm [OPTIONS] CONTAINER [CONTAINER...]", Aliases: []string{"remove"}, Short: "Remove one or more containers", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s, true)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		return s.Each(args, func(n string) (string, error) { _, err := cl.ContainerRemove(c.Context(), n, o); return n, err })
	}
	f := c.Flags()
	f.BoolVarP(&o.Force, "force", "f", false, "Force the removal of a running container (uses SIGKILL)")
	f.BoolVarP(&o.RemoveVolumes, "volumes", "v", false, "Remove anonymous volumes associated with the container")
	f.BoolVarP(&o.RemoveLinks, "link", "l", false, "Remove the specified link")
	return c
}
