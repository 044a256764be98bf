package network

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/docker/cli/opts"
	"github.com/docker/cli/templates"
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
		w := tabwriter.NewWriter(s.Out, 10, 1, 3, ' ', 0)
		header := format == "" || format == "table"
		if !quiet && header {
			fmt.Fprintln(w, "NETWORK ID\tNAME\tDRIVER\tSCOPE")
		}
		for _, n := range r.Items {
			id := n.ID
			if !noTrunc && len(id) > 12 {
				id = id[:12]
			}
			row := map[string]any{"ID": id, "Name": n.Name, "Driver": n.Driver, "Scope": n.Scope, "IPv6": fmt.Sprint(n.EnableIPv6), "Internal": fmt.Sprint(n.Internal), "CreatedAt": n.Created.String()}
			switch {
			case quiet:
				fmt.Fprintln(w, id)
			case header:
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", id, n.Name, n.Driver, n.Scope)
			case format == "json":
				b, err := json.Marshal(row)
				if err != nil {
					return err
				}
				fmt.Fprintln(w, string(b))
			default:
				t, err := templates.Parse(strings.TrimPrefix(format, "table "))
				if err != nil {
					return errdefs.Invalid("template parsing error: %w", err)
				}
				if err := t.Execute(w, row); err != nil {
					return errdefs.Invalid("template parsing error: %w", err)
				}
				fmt.Fprintln(w)
			}
		}
		return w.Flush()
	}
	f := c.Flags()
	f.BoolVarP(&quiet, "quiet", "q", false, "Only display network IDs")
	f.BoolVar(&noTrunc, "no-trunc", false, "Do not truncate the output")
	f.StringVar(&format, "format", "", "Format output using a custom template: table, json, TEMPLATE")
	f.VarP(&filter, "filter", "f", "Provide filter values (e.g. \"driver=bridge\")")
	return c
}
