package system

import (
	"fmt"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newInfo(s *session.Session) *cobra.Command {
	var format string
	c := &cobra.Command{Use: "info [OPTIONS]", Short: "Display system-wide information", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.Info(c.Context(), client.InfoOptions{})
		if err != nil {
			return err
		}
		i := r.Info
		if format != "" {
			return printAs(s, format, i)
		}
		printInfo(s.Out, &i)
		for _, w := range i.Warnings {
			fmt.Fprintln(s.Err, w)
		}
		return nil
	}
	c.Flags().StringVarP(&format, "format", "f", "", "Format output using a custom template, or json")
	return c
}
