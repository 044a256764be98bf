package container

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/berthhq/berth/cmd/berth/cli/completion"
	"github.com/berthhq/berth/cmd/berth/cli/session"
)

// NewCreate is the verb create.
func NewCreate(s *session.Session) *cobra.Command {
	var o createOptions
	cmd := &cobra.Command{
		Use:               "create [OPTIONS] IMAGE [COMMAND] [ARG...]",
		Short:             "Create a new container",
		Args:              session.MinArgs(1),
		ValidArgsFunction: completion.First(completion.Images(s)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runCreate(cmd.Context(), s, &o, cmd.Flags(), args)
		},
	}
	o.add(cmd, s)
	completeRunFlags(cmd, s)
	return cmd
}

func runCreate(ctx context.Context, s *session.Session, o *createOptions, fs *pflag.FlagSet, args []string) error {
	api, err := s.API()
	if err != nil {
		return err
	}
	spec, err := o.spec(s, api, fs, args)
	if err != nil {
		return &session.ExitError{Code: session.CodeEngine, Err: err, Help: "berth create"}
	}
	id, err := o.create(ctx, s, api, spec)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.Out, id)
	return err
}
