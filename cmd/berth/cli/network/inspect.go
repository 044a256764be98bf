package network

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newInspect(s *session.Session) *cobra.Command {
	var format string
	var verbose bool
	c := &cobra.Command{Use: "inspect [OPTIONS] NETWORK [NETWORK...]", Short: "Display detailed information on one or more networks", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		return s.Inspect(args, format, func(n string) (session.Object, error) {
			r, err := cl.NetworkInspect(c.Context(), n, client.NetworkInspectOptions{Verbose: verbose})
			return session.Object{Raw: r.Raw, Typed: r.Network}, err
		})
	}
	c.Flags().StringVarP(&format, "format", "f", "", "Format output using a custom template, or json")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "Verbose output for diagnostics")
	return c
}
