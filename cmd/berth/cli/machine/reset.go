package machine

import (
	"fmt"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/spf13/cobra"
)

func newReset(s *session.Session) *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use: "reset [OPTIONS] [MACHINE]", Short: "Throw away everything in a virtual machine: containers, images, volumes", Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: complete(s),
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		m, err := named(s, args)
		if err != nil {
			return err
		}
		if !force && !s.Confirm(fmt.Sprintf("WARNING! This removes all containers, images and volumes of machine %s.\nAre you sure you want to continue?", m.Name)) {
			return nil
		}
		a, err := agent(c.Context(), m)
		if err != nil {
			return err
		}
		if _, err := a.Reset(c.Context(), tell(s)); err != nil {
			return err
		}
		fmt.Fprintf(s.Out, "machine %s is empty\n", m.Name)
		return nil
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation")
	return c
}
