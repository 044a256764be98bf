package contexts

import (
	"fmt"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/endpoint"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/spf13/cobra"
)

func newUse(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "use CONTEXT", Short: "Set the current context", Args: cobra.ExactArgs(1), ValidArgsFunction: complete(s)}
	c.RunE = func(_ *cobra.Command, args []string) error {
		name := args[0]
		if _, err := get(s, name); err != nil {
			return err
		}
		if err := setCurrent(s, name); err != nil {
			return err
		}
		fmt.Fprintln(s.Out, name)
		fmt.Fprintf(s.Err, "Current context is now %q\n", name)
		for _, env := range []string{"BERTH_HOST", "DOCKER_HOST"} {
			if s.Getenv(env) != "" {
				fmt.Fprintf(s.Err, "Warning: %s environment variable overrides the active context. To use %q, either set the global --context flag, or unset %s environment variable.\n", env, name, env)
			}
		}
		return nil
	}
	return c
}

func setCurrent(s *session.Session, name string) error {
	cfg := s.Config()
	if cfg.CurrentContext = name; name == endpoint.DefaultContext {
		cfg.CurrentContext = ""
	}
	if err := cfg.Save(); err != nil {
		return errdefs.System("setting the current context: %w", err)
	}
	return nil
}
