package contexts

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/endpoint"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/spf13/cobra"
)

func newRemove(s *session.Session) *cobra.Command {
	var force bool
	c := &cobra.Command{Use: "rm CONTEXT [CONTEXT...]", Aliases: []string{"remove"}, Short: "Remove one or more contexts", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s)}
	c.RunE = func(_ *cobra.Command, args []string) error {
		return s.Each(args, func(name string) (string, error) { return name, remove(s, name, force) })
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "Force the removal of a context in use")
	return c
}

func remove(s *session.Session, name string, force bool) error {
	if name == endpoint.DefaultContext {
		return errdefs.Invalid(`default: context "default" cannot be removed`)
	}
	if s.Config().CurrentContext == name {
		if !force {
			return errdefs.Conflict("context %q is in use, set another context or use -f to force remove", name)
		}
		if err := setCurrent(s, endpoint.DefaultContext); err != nil {
			return err
		}
	}
	err := store(s).Remove(name)
	if force && errdefs.KindOf(err) == errdefs.KindNotFound {
		return nil
	}
	return err
}
