// Package container is the verbs on containers. Each file is one verb: its options, its command, what it does.
package container

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/spf13/cobra"
)

// Verbs are the commands that need no noun before them.
func Verbs(s *session.Session) []*cobra.Command {
	return []*cobra.Command{
		newRun(s), newCreate(s), newStart(s), newStop(s), newRestart(s), newKill(s), newRemove(s), newList(s, "ps"), newLogs(s),
		newAttach(s), newExec(s), newWait(s), newInspect(s, "inspect"), newPort(s), newTop(s), newRename(s), newPause(s), newUnpause(s),
		newUpdate(s), newCopy(s), newStats(s), newDiff(s), newExport(s), newCommit(s),
	}
}

// Group is "berth container".
func Group(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "container", Short: "Manage containers", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	for _, v := range Verbs(s) {
		switch v.Name() {
		case "ps", "inspect":
			continue
		}
		c.AddCommand(v)
	}
	ls := newList(s, "ls")
	ls.Aliases = []string{"list", "ps"}
	c.AddCommand(ls, newInspect(s, "inspect"), newPrune(s), newEdit(s))
	return c
}
