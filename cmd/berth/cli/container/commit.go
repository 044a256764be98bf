package container

import (
	"fmt"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/docker/cli/opts"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newCommit(s *session.Session) *cobra.Command {
	var o client.ContainerCommitOptions
	changes := opts.NewListOpts(nil)
	c := &cobra.Command{Use: "commit [OPTIONS] CONTAINER [REPOSITORY[:TAG]]", Short: "Create a new image from a container's changes", Args: cobra.RangeArgs(1, 2), ValidArgsFunction: complete(s, true)}
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 2 {
			o.Reference = args[1]
		}
		o.Changes = changes.GetSlice()
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.ContainerCommit(c.Context(), args[0], o)
		if err != nil {
			return err
		}
		fmt.Fprintln(s.Out, r.ID)
		return nil
	}
	f := c.Flags()
	f.StringVarP(&o.Author, "author", "a", "", `Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")`)
	f.StringVarP(&o.Comment, "message", "m", "", "Commit message")
	f.VarP(&changes, "change", "c", "Apply Dockerfile instruction to the created image")
	return c
}
