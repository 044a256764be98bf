package machine

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/machineapi"
	"github.com/docker/go-units"
	"github.com/spf13/cobra"
)

func newStatus(s *session.Session) *cobra.Command {
	c := &cobra.Command{
		Use: "status [MACHINE]", Short: "Say how a virtual machine is; 0 if it runs, 3 if not", Args: cobra.MaximumNArgs(1), ValidArgsFunction: complete(s),
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		is, err := asked(c.Context(), s, args)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.Out, "machine %s is %s%s\n", is.Name, is.State, because(is.Reason))
		if is.State != machineapi.Running {
			return &session.ExitError{Code: 3}
		}
		return nil
	}
	return c
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func newInfo(s *session.Session) *cobra.Command {
	var format string
	c := &cobra.Command{
		Use: "info [OPTIONS] [MACHINE]", Short: "Show all that is known of a virtual machine", Args: cobra.MaximumNArgs(1), ValidArgsFunction: complete(s),
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		is, err := asked(c.Context(), s, args)
		if err != nil {
			return err
		}
		if format == "json" {
			return json.NewEncoder(s.Out).Encode(is)
		}
		return describe(s.Out, is)
	}
	c.Flags().StringVar(&format, "format", "", "json, or lines for people where it is empty")
	return c
}

// describe writes what is known, a line each; what is not known has none.
func describe(to io.Writer, m machineapi.Machine) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"Name", m.Name}, {"State", string(m.State) + because(m.Reason)}, {"Driver", m.Settings.Driver}, {"Accelerator", m.Accelerator},
		{"CPUs", number(int64(m.Settings.CPUs), "%d")}, {"Memory", size(m.Settings.Memory)}, {"Disk", size(m.Settings.Disk)}, {"Disk used", size(m.DiskUsed)},
		{"Image", m.Image}, {"Kernel", m.Kernel}, {"Guest agent", m.Agent}, {"Up", up(m.UptimeMS)},
		{"Hypervisor's pid", number(int64(m.PID), "%d")}, {"Host agent's pid", number(int64(m.AgentPID), "%d")}, {"Docker API", "unix://" + m.Socket}, {"Directory", m.Dir},
	} {
		if row[1] != "" {
			fmt.Fprintf(w, "%s:\t%s\n", row[0], row[1])
		}
	}
	return w.Flush()
}

func number(n int64, format string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(format, n)
}

func size(n int64) string {
	if n == 0 {
		return ""
	}
	return units.BytesSize(float64(n))
}

func up(ms int64) string {
	if ms == 0 {
		return ""
	}
	return strings.ToLower(units.HumanDuration(time.Duration(ms) * time.Millisecond))
}
