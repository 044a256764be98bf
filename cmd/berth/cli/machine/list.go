package machine

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/machineapi"
	"github.com/berthhq/berth/internal/paths"
	"github.com/spf13/cobra"
)

func newList(s *session.Session) *cobra.Command {
	var quiet bool
	var format string
	c := &cobra.Command{Use: "list [OPTIONS]", Aliases: []string{"ls"}, Short: "List virtual machines", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		var all []machineapi.Machine
		for _, m := range paths.Machines(s.Getenv) {
			is, err := ask(c.Context(), m)
			if err != nil {
				is = machineapi.Machine{Name: m.Name, State: machineapi.Broken, Reason: err.Error()}
			}
			all = append(all, is)
		}
		switch {
		case quiet:
			for _, m := range all {
				fmt.Fprintln(s.Out, m.Name)
			}
			return nil
		case format == "json":
			for _, m := range all {
				if err := json.NewEncoder(s.Out).Encode(m); err != nil {
					return err
				}
			}
			return nil
		}
		w := tabwriter.NewWriter(s.Out, 0, 0, 3, ' ', 0)
		fmt.Fprintln(w, "NAME\tSTATE\tDRIVER\tCPUS\tMEMORY\tDISK")
		for _, m := range all {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", m.Name, m.State, m.Settings.Driver, number(int64(m.Settings.CPUs), "%d"), size(m.Settings.Memory), size(m.Settings.Disk))
		}
		return w.Flush()
	}
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "Only show names")
	c.Flags().StringVar(&format, "format", "", "json, or a table where it is empty")
	return c
}
