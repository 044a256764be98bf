package container

import (
	"context"
	"strings"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"github.com/berthhq/berth/cmd/berth/cli/completion"
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
)

// NewRename is the verb rename.
func NewRename(s *session.Session) *cobra.Command {
	return &cobra.Command{
		Use:               "rename CONTAINER NEW_NAME",
		Short:             "Rename a container",
		Args:              session.ExactArgs(2),
		ValidArgsFunction: completion.Then(completion.Containers(s)),
		RunE:              func(cmd *cobra.Command, args []string) error { return runRename(cmd.Context(), s, args[0], args[1]) },
	}
}

func runRename(ctx context.Context, s *session.Session, from, to string) error {
	from, to = strings.TrimSpace(from), strings.TrimSpace(to)
	if from == "" || to == "" {
		return errdefs.Invalid("neither old nor new names may be empty")
	}
	api, err := s.API()
	if err != nil {
		return err
	}
	_, err = api.ContainerRename(ctx, from, client.ContainerRenameOptions{NewName: to})
	return err
}
