package machine

import (
	"errors"
	"fmt"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/machineapi"
	"github.com/spf13/cobra"
)

func newStop(s *session.Session) *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use: "stop [OPTIONS] [MACHINE]", Short: "Stop a virtual machine; containers are stopped first, data stays", Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: complete(s),
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		m, err := named(s, args)
		if err != nil {
			return err
		}
		is, err := ask(c.Context(), m)
		if err != nil {
			return err
		}
		if is.State == machineapi.Absent && is.AgentPID == 0 {
			return errdefs.NotFound("there is no machine %s", m.Name).WithHint("berth machine list shows those there are.")
		}
		// A machine may have outlived its agent: only an agent can tell.
		a, err := agent(c.Context(), m)
		if err == nil {
			_, err = a.Stop(c.Context(), machineapi.Stop{Force: force}, tell(s))
		}
		if err != nil && !errors.Is(err, machineapi.ErrNoAgent) {
			return err
		}
		fmt.Fprintf(s.Out, "machine %s is stopped\n", m.Name)
		return nil
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "Take the power away without asking the guest")
	return c
}

func newRestart(s *session.Session) *cobra.Command {
	c := &cobra.Command{
		Use: "restart [MACHINE]", Short: "Stop a virtual machine and start it", Args: cobra.MaximumNArgs(1), ValidArgsFunction: complete(s),
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		m, a, err := served(c.Context(), s, args)
		if err != nil {
			return err
		}
		if _, err := a.Restart(c.Context(), tell(s)); err != nil {
			return err
		}
		fmt.Fprintf(s.Out, "machine %s is running\n", m.Name)
		return nil
	}
	return c
}
