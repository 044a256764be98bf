package network

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/docker/cli/cli/command/formatter"
	"github.com/docker/cli/opts"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newList(s *session.Session) *cobra.Command {
	var quiet, noTrunc bool
	var format string
	filter := opts.NewFilterOpt()
	c := &cobra.Command{Use: "ls [OPTIONS]", Aliases: []string{"list"}, Short: "List networks", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.NetworkList(c.Context(), client.NetworkListOptions{Filters: filter.Value()})
		if err != nil {
			return err
		}
		if format == "" && !quiet {
			format = s.Config().NetworksFormat
		}
		ctx := formatter.Context{Output: s.Out, Format: listFormat(format, quiet), Trunc: !noTrunc}
		return writeList(ctx, r.Items)
	}
	f := c.Flags()
	f.BoolVarP(&quiet, "quiet", "q", false, "Only display network IDs")
	f.BoolVar(&noTrunc, "no-trunc", false, "Do not truncate the output")
	f.StringVar(&format, "format", "", "Format output using a custom template: table, table TEMPLATE, json, TEMPLATE")
	f.VarP(&filter, "filter", "f", "Provide filter values (e.g. \"driver=bridge\")")
	return c
}
