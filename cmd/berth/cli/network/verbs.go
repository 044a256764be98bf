// Package network is the verbs on networks.
package network

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/spf13/cobra"
)

// Group is "berth network".
func Group(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "network", Short: "Manage networks", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(newCreate(s), newList(s), newInspect(s), newRemove(s), newPrune(s), newConnect(s), newDisconnect(s))
	return c
}
