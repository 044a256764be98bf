package volume

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newInspect(s *session.Session) *cobra.Command {
	var format string
	c := &cobra.Command{Use: "inspect [OPTIONS] VOLUME [VOLUME...]", Short: "Display detailed information on one or more volumes", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		return s.Inspect(args, format, func(n string) (session.Object, error) {
			r, err := cl.VolumeInspect(c.Context(), n, client.VolumeInspectOptions{})
			return session.Object{Raw: r.Raw, Typed: r.Volume}, err
		})
	}
	c.Flags().StringVarP(&format, "format", "f", "", "Format output using a custom template, or json")
	return c
}
