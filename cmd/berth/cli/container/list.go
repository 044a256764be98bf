package container

import (
	"regexp"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/docker/cli/cli/command/formatter"
	"github.com/docker/cli/opts"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

// sizeColumn is the column of a template that the engine measures only where it is asked for.
var sizeColumn = regexp.MustCompile(`\.Size\b`)

func newList(s *session.Session, name string) *cobra.Command {
	var all, quiet, size, noTrunc, latest bool
	var last int
	var format string
	filter := opts.NewFilterOpt()
	c := &cobra.Command{Use: name + " [OPTIONS]", Short: "List containers", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		if latest {
			last = 1
		}
		if format == "" && !quiet {
			format = s.Config().PsFormat
		}
		if format == "" {
			format = formatter.TableFormatKey
		}
		measure := size || sizeColumn.MatchString(format)
		list, err := cl.ContainerList(c.Context(), client.ContainerListOptions{All: all, Limit: last, Size: measure, Filters: filter.Value()})
		if err != nil {
			return err
		}
		return formatter.ContainerWrite(formatter.Context{Output: s.Out, Format: formatter.NewContainerFormat(format, quiet, size), Trunc: !noTrunc}, list.Items)
	}
	f := c.Flags()
	f.BoolVarP(&all, "all", "a", false, "Show all containers (default shows just running)")
	f.BoolVarP(&quiet, "quiet", "q", false, "Only display container IDs")
	f.BoolVarP(&size, "size", "s", false, "Display total file sizes")
	f.BoolVar(&noTrunc, "no-trunc", false, "Don't truncate output")
	f.BoolVarP(&latest, "latest", "l", false, "Show the latest created container (includes all states)")
	f.IntVarP(&last, "last", "n", -1, "Show n last created containers (includes all states)")
	f.StringVar(&format, "format", "", "Format output using a custom template: table, table TEMPLATE, json, TEMPLATE")
	f.VarP(&filter, "filter", "f", "Filter output based on conditions provided")
	return c
}
