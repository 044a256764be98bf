package contexts

import (
	"fmt"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/spf13/cobra"
)

func newShow(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "show", Short: "Print the name of the current context", Args: cobra.NoArgs}
	c.RunE = func(*cobra.Command, []string) error {
		name, err := current(s)
		if err != nil {
			return err
		}
		fmt.Fprintln(s.Out, name)
		return nil
	}
	return c
}
