package container

import (
	"strings"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

// complete gives the names of containers to a shell; all, or those that run.
func complete(s *session.Session, all bool) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		cl, err := s.Client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		list, err := cl.ContainerList(c.Context(), client.ContainerListOptions{All: all})
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var out []string
		for _, ct := range list.Items {
			for _, n := range ct.Names {
				out = append(out, strings.TrimPrefix(n, "/"))
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}
