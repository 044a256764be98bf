package image

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/docker/go-units"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newHistory(s *session.Session) *cobra.Command {
	var noTrunc, quiet bool
	var platform string
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
		w := tabwriter.NewWriter(s.Out, 10, 1, 3, ' ', 0)
		if !quiet {
			fmt.Fprintln(w, "IMAGE\tCREATED\tCREATED BY\tSIZE\tCOMMENT")
		}
		for _, h := range r.Items {
			if quiet {
				fmt.Fprintln(w, h.ID)
				continue
			}
			by := h.CreatedBy
			if !noTrunc && len(by) > 45 {
				by = by[:44] + "…"
			}
			fmt.Fprintf(w, "%.19s\t%s ago\t%s\t%s\t%s\n", h.ID, units.HumanDuration(time.Since(time.Unix(h.Created, 0))), by, units.HumanSizeWithPrecision(float64(h.Size), 3), h.Comment)
		}
		return w.Flush()
	}
	f := c.Flags()
	f.BoolVar(&noTrunc, "no-trunc", false, "Don't truncate output")
	f.BoolVarP(&quiet, "quiet", "q", false, "Only show image IDs")
	f.StringVar(&platform, "platform", "", `Show history for the given platform. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")`)
	return c
}
