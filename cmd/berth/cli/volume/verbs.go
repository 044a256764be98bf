// Package volume is the verbs on volumes.
package volume

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/spf13/cobra"
)

// Group is "berth volume".
func Group(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "volume", Short: "Manage volumes", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(newCreate(s), newList(s), newInspect(s), newRemove(s), newPrune(s))
	return c
}
