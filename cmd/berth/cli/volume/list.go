package volume

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/docker/cli/cli/command/formatter"
	"github.com/docker/cli/opts"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newList(s *session.Session) *cobra.Command {
	var quiet bool
	var format string
	filter := opts.NewFilterOpt()
	c := &cobra.Command{Use: "ls [OPTIONS]", Aliases: []string{"list"}, Short: "List volumes", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.VolumeList(c.Context(), client.VolumeListOptions{Filters: filter.Value()})
		if err != nil {
			return err
		}
		if format == "" && !quiet {
			format = s.Config().VolumesFormat
		}
		if format == "" {
			format = formatter.TableFormatKey
		}
		return formatter.VolumeWrite(formatter.Context{Output: s.Out, Format: formatter.NewVolumeFormat(format, quiet)}, r.Items)
	}
	f := c.Flags()
	f.BoolVarP(&quiet, "quiet", "q", false, "Only display volume names")
	f.StringVar(&format, "format", "", "Format output using a custom template: table, table TEMPLATE, json, TEMPLATE")
	f.VarP(&filter, "filter", "f", "Provide filter values (e.g. \"dangling=true\")")
	return c
}
