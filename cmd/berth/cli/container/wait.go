package container

import (
	"context"
	"errors"
	"fmt"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"github.com/berthhq/berth/cmd/berth/cli/completion"
	"github.com/berthhq/berth/cmd/berth/cli/session"
)

// NewWait is the verb wait.
func NewWait(s *session.Session) *cobra.Command {
	return &cobra.Command{
		Use:               "wait CONTAINER [CONTAINER...]",
		Short:             "Block until one or more containers stop, then print their exit codes",
		Args:              session.MinArgs(1),
		ValidArgsFunction: completion.Running(s),
		RunE:              func(cmd *cobra.Command, args []string) error { return runWait(cmd.Context(), s, args) },
	}
}

func runWait(ctx context.Context, s *session.Session, names []string) error {
	api, err := s.API()
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		o := one(ctx, api.ContainerWait(ctx, name, client.ContainerWaitOptions{}))
		if o.err != nil {
			errs = append(errs, o.err)
			continue
		}
		if _, err := fmt.Fprintln(s.Out, o.code); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}
