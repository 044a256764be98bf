package image

import (
	"context"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"github.com/berthhq/berth/cmd/berth/cli/completion"
	"github.com/berthhq/berth/cmd/berth/cli/session"
)

// NewTag is the verb tag.
func NewTag(s *session.Session) *cobra.Command {
	return &cobra.Command{
		Use:               "tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
		Short:             "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
		Args:              session.ExactArgs(2),
		ValidArgsFunction: completion.Then(completion.Images(s), completion.Images(s)),
		RunE:              func(cmd *cobra.Command, args []string) error { return runTag(cmd.Context(), s, args[0], args[1]) },
	}
}

func runTag(ctx context.Context, s *session.Session, source, target string) error {
	api, err := s.API()
	if err != nil {
		return err
	}
	_, err = api.ImageTag(ctx, client.ImageTagOptions{Source: source, Target: target})
	return err
}
