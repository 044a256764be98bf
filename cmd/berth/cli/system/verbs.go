// Package system is the verbs on the engine itself, and on registries' credentials.
package system

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/spf13/cobra"
)

// Verbs are the commands that need no noun before them.
func Verbs(s *session.Session) []*cobra.Command {
	return []*cobra.Command{newInfo(s), newVersion(s), newEvents(s), newLogin(s), newLogout(s)}
}

// Group is "berth system".
func Group(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "system", Short: "Manage the engine", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(newInfo(s), newDF(s), newEvents(s), newPrune(s), newInstall(s), newUninstall(s))
	return c
}
