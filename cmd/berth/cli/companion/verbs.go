package companion

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/spf13/cobra"
)

// Verbs are those that companions carry out.
func Verbs(s *session.Session) []*cobra.Command {
	return []*cobra.Command{Build(s), newBuildx(s), newCompose(s)}
}

// handOver makes a verb that a companion carries out, with its own flags, help and completion.
func handOver(s *session.Session, c *cobra.Command, program string, before ...string) *cobra.Command {
	c.DisableFlagParsing = true
	c.RunE = func(c *cobra.Command, args []string) error {
		if _, err := find(program); err != nil && len(args) > 0 && args[0] == "--help" {
			return c.Help()
		}
		return run(c.Context(), s, program, append(before, args...))
	}
	c.ValidArgsFunction = func(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		return complete(c.Context(), s, program, append(append(before, args...), begun))
	}
	return c
}
