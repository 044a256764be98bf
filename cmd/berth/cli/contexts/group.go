// Package contexts is the verbs on contexts: named engines, kept where docker keeps its own, so that both programs see
// the same ones.
package contexts

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/endpoint"
	"github.com/spf13/cobra"
)

// Group is "berth context".
func Group(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "context", Short: "Manage contexts", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(newCreate(s), newExport(s), newImport(s), newInspect(s), newList(s), newRemove(s), newShow(s), newUpdate(s), newUse(s))
	return c
}

func store(s *session.Session) endpoint.Contexts { return endpoint.Contexts{Dir: s.ConfigDir()} }

// current is the context in use.
func current(s *session.Session) (string, error) {
	ep, err := s.Endpoint()
	return ep.Context, err
}

// get reads a context; "default" is the one that is always there.
func get(s *session.Session, name string) (endpoint.Context, error) {
	if name != endpoint.DefaultContext {
		return store(s).Get(name)
	}
	own := endpoint.Query{ConfigDir: s.ConfigDir(), Getenv: s.Getenv, Host: s.Getenv("BERTH_HOST")}
	if own.Host == "" {
		own.Host = s.Getenv("DOCKER_HOST")
	}
	ep, err := endpoint.Resolve(own)
	return endpoint.Context{Name: name, Description: "Current BERTH_HOST or DOCKER_HOST based configuration", Host: ep.Host}, err
}

// complete offers the names of contexts.
func complete(s *session.Session) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		names := []string{endpoint.DefaultContext}
		all, err := store(s).List()
		if err != nil {
			return names, cobra.ShellCompDirectiveNoFileComp
		}
		for _, c := range all {
			names = append(names, c.Name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
