package machine

import (
	"fmt"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/spf13/cobra"
)

func newDoctor(s *session.Session) *cobra.Command {
	c := &cobra.Command{
		Use: "doctor [MACHINE]", Short: "Say what is wrong with a virtual machine and what helps; 0 if all is well", Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: complete(s),
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		_, a, err := served(c.Context(), s, args)
		if err != nil {
			return err
		}
		found, err := a.Doctor(c.Context())
		if err != nil {
			return err
		}
		well := true
		for _, f := range found {
			if f.OK {
				fmt.Fprintln(s.Out, "ok   ", f.Text)
				continue
			}
			well = false
			fmt.Fprintln(s.Out, "WRONG", f.Text)
			if f.Help != "" {
				fmt.Fprintln(s.Out, "      what helps:", f.Help)
			}
		}
		if !well {
			return &session.ExitError{Code: 1}
		}
		return nil
	}
	return c
}
