package container

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newRename(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "rename CONTAINER NEW_NAME", Short: "Rename a container", Args: cobra.ExactArgs(2), ValidArgsFunction: complete(s, true)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		_, err = cl.ContainerRename(c.Context(), args[0], client.ContainerRenameOptions{NewName: args[1]})
		return err
	}
	return c
}
