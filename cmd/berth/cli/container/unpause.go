package container

import (
	"context"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"github.com/berthhq/berth/cmd/berth/cli/completion"
	"github.com/berthhq/berth/cmd/berth/cli/session"
)

// NewUnpause is the verb unpause.
func NewUnpause(s *session.Session) *cobra.Command {
	return &cobra.Command{
		Use:               "unpause CONTAINER [CONTAINER...]",
		Short:             "Unpause all processes within one or more containers",
		Args:              session.MinArgs(1),
		ValidArgsFunction: completion.Containers(s, container.StatePaused),
		RunE:              func(cmd *cobra.Command, args []string) error { return runUnpause(cmd.Context(), s, args) },
	}
}

func runUnpause(ctx context.Context, s *session.Session, names []string) error {
	api, err := s.API()
	if err != nil {
		return err
	}
	return s.Each(ctx, names, func(ctx context.Context, name string) error {
		_, err := api.ContainerUnpause(ctx, name, client.ContainerUnpauseOptions{})
		return err
	})
}
