package volume

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
		r, err := cl.VolumeList(c.Context(), client.VolumeListOptions{})
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		for _, v := range r.Items {
			out = append(out, v.Name)
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}
