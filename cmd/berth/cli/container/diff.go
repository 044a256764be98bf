package container

import (
	"fmt"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newDiff(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "diff CONTAINER", Short: "Inspect changes to files or directories on a container's filesystem", Args: cobra.ExactArgs(1), ValidArgsFunction: complete(s, true)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.ContainerDiff(c.Context(), args[0], client.ContainerDiffOptions{})
		if err != nil {
			return err
		}
		for _, ch := range r.Changes {
			fmt.Fprintln(s.Out, ch.Kind.String()+" "+ch.Path)
		}
		return nil
	}
	return c
}
