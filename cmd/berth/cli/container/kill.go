package container

import (
	"context"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"github.com/berthhq/berth/cmd/berth/cli/completion"
	"github.com/berthhq/berth/cmd/berth/cli/session"
)

// NewKill is the verb kill.
func NewKill(s *session.Session) *cobra.Command {
	var o client.ContainerKillOptions
	cmd := &cobra.Command{
		Use:               "kill [OPTIONS] CONTAINER [CONTAINER...]",
		Short:             "Kill one or more running containers",
		Args:              session.MinArgs(1),
		ValidArgsFunction: completion.Running(s),
		RunE:              func(cmd *cobra.Command, args []string) error { return runKill(cmd.Context(), s, o, args) },
	}
	cmd.Flags().StringVarP(&o.Signal, "signal", "s", "", "Signal to send to the container")
	return cmd
}

func runKill(ctx context.Context, s *session.Session, o client.ContainerKillOptions, names []string) error {
	api, err := s.API()
	if err != nil {
		return err
	}
	return s.Each(ctx, names, func(ctx context.Context, name string) error {
		_, err := api.ContainerKill(ctx, name, o)
		return err
	})
}
