package image

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/docker/cli/cli/command/formatter"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newHistory(s *session.Session) *cobra.Command {
	var noTrunc, quiet, human bool
	var platform, format string
	c := &cobra.Command{Use: "history [OPTIONS] IMAGE", Short: "Show the history of an image", Args: cobra.ExactArgs(1), ValidArgsFunction: Complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		var o []client.ImageHistoryOption
		list, err := parsePlatforms(platform)
		if err != nil {
			return err
		}
		for _, p := range list {
			o = append(o, client.ImageHistoryWithPlatform(p))
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.ImageHistory(c.Context(), args[0], o...)
		if err != nil {
			return err
		}
		if format == "" {
			format = formatter.TableFormatKey
		}
		ctx := formatter.Context{Output: s.Out, Format: historyFormat(format, quiet, human), Trunc: !noTrunc}
		return writeHistory(ctx, human, r.Items)
	}
	f := c.Flags()
	f.BoolVar(&noTrunc, "no-trunc", false, "Don't truncate output")
	f.BoolVarP(&quiet, "quiet", "q", false, "Only show image IDs")
	f.BoolVarP(&human, "human", "H", true, "Print sizes and dates in human readable format")
	f.StringVar(&format, "format", "", "Format output using a custom template: table, table TEMPLATE, json, TEMPLATE")
	f.StringVar(&platform, "platform", "", `Show history for the given platform. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")`)
	return c
}
