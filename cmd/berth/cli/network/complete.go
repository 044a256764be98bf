package network

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func complete(s *session.Session) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, _ string) (out []string, d cobra.ShellCompDirective) {
		cl, err := s.Client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		r, err := cl.NetworkList(c.Context(), client.NetworkListOptions{})
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		for _, n := range r.Items {
			out = append(out, n.Name)
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}
