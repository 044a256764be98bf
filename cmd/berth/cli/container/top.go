package container

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newTop(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "top CONTAINER [ps OPTIONS]", Short: "Display the running processes of a container", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s, false)}
	c.Flags().SetInterspersed(false)
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.ContainerTop(c.Context(), args[0], client.ContainerTopOptions{Arguments: args[1:]})
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(s.Out, 20, 1, 3, ' ', 0)
		fmt.Fprintln(w, strings.Join(r.Titles, "\t"))
		for _, p := range r.Processes {
			fmt.Fprintln(w, strings.Join(p, "\t"))
		}
		return w.Flush()
	}
	return c
}
