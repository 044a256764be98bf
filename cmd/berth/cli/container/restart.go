package container

import (
	"context"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"github.com/berthhq/berth/cmd/berth/cli/completion"
	"github.com/berthhq/berth/cmd/berth/cli/session"
)

// NewRestart is the verb restart.
func NewRestart(s *session.Session) *cobra.Command {
	var o stopOptions
	cmd := &cobra.Command{
		Use:               "restart [OPTIONS] CONTAINER [CONTAINER...]",
		Short:             "Restart one or more containers",
		Args:              session.MinArgs(1),
		ValidArgsFunction: completion.Containers(s),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runRestart(cmd.Context(), s, client.ContainerRestartOptions{Signal: o.signal, Timeout: o.given(cmd.Flags())}, args)
		},
	}
	o.add(cmd.Flags())
	return cmd
}

func runRestart(ctx context.Context, s *session.Session, o client.ContainerRestartOptions, names []string) error {
	api, err := s.API()
	if err != nil {
		return err
	}
	return s.Each(ctx, names, func(ctx context.Context, name string) error {
		_, err := api.ContainerRestart(ctx, name, o)
		return err
	})
}
