package image

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/docker/cli/cli/command/formatter"
	"github.com/docker/cli/opts"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newList(s *session.Session, name string) *cobra.Command {
	var all, quiet, noTrunc, digests bool
	var format string
	filter := opts.NewFilterOpt()
	c := &cobra.Command{Use: name + " [OPTIONS] [REPOSITORY[:TAG]]", Short: "List images", Args: cobra.MaximumNArgs(1), ValidArgsFunction: Complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		f := filter.Value()
		if len(args) == 1 {
			f.Add("reference", args[0])
		}
		list, err := cl.ImageList(c.Context(), client.ImageListOptions{All: all, Filters: f})
		if err != nil {
			return err
		}
		if format == "" && !quiet {
			format = s.Config().ImagesFormat
		}
		if format == "" {
			format = formatter.TableFormatKey
		}
		return formatter.ImageWrite(formatter.ImageContext{
			Context: formatter.Context{Output: s.Out, Format: formatter.NewImageFormat(format, quiet, digests), Trunc: !noTrunc}, Digest: digests,
		}, list.Items)
	}
	f := c.Flags()
	f.BoolVarP(&all, "all", "a", false, "Show all images (default hides intermediate images)")
	f.BoolVarP(&quiet, "quiet", "q", false, "Only show image IDs")
	f.BoolVar(&noTrunc, "no-trunc", false, "Don't truncate output")
	f.BoolVar(&digests, "digests", false, "Show digests")
	f.StringVar(&format, "format", "", "Format output using a custom template: table, table TEMPLATE, json, TEMPLATE")
	f.VarP(&filter, "filter", "f", "Filter output based on conditions provided")
	return c
}
