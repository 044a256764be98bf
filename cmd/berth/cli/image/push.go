package image

import (
	"context"
	"errors"
	"fmt"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"github.com/berthhq/berth/cmd/berth/cli/completion"
	"github.com/berthhq/berth/cmd/berth/cli/credentials"
	"github.com/berthhq/berth/cmd/berth/cli/progress"
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
)

type pushOptions struct {
	all, quiet, noTrust bool
	platform            string
}

// NewPush is the verb push.
func NewPush(s *session.Session) *cobra.Command {
	var o pushOptions
	cmd := &cobra.Command{
		Use:               "push [OPTIONS] NAME[:TAG]",
		Short:             "Upload an image to a registry",
		Args:              session.ExactArgs(1),
		ValidArgsFunction: completion.Then(completion.Images(s)),
		RunE:              func(cmd *cobra.Command, args []string) error { return runPush(cmd.Context(), s, &o, args[0]) },
	}
	fs := cmd.Flags()
	fs.BoolVarP(&o.all, "all-tags", "a", false, "Push all tags of an image to the repository")
	fs.BoolVarP(&o.quiet, "quiet", "q", false, "Suppress verbose output")
	fs.StringVar(&o.platform, "platform", s.Getenv("DOCKER_DEFAULT_PLATFORM"), "Push a platform-specific manifest as a single-platform image to the registry")
	ignoreTrust(fs, &o.noTrust)
	return cmd
}

func runPush(ctx context.Context, s *session.Session, o *pushOptions, name string) error {
	ref, err := reference.ParseNormalizedNamed(name)
	switch {
	case err != nil:
		return errdefs.Invalid("invalid reference format: %q: %w", name, err)
	case o.all && !reference.IsNameOnly(ref):
		return errors.New("tag can't be used with --all-tags/-a")
	case !o.all && reference.IsNameOnly(ref):
		ref = reference.TagNameOnly(ref)
		if !o.quiet {
			if _, err := fmt.Fprintln(s.Out, "Using default tag: latest"); err != nil {
				return err
			}
		}
	}
	po := client.ImagePushOptions{All: o.all}
	if po.RegistryAuth, err = credentials.ForImage(s.Config(), name); err != nil {
		return err
	}
	if o.platform != "" {
		p, err := platforms.Parse(o.platform)
		if err != nil {
			return errdefs.Invalid("error parsing specified platform: %w", err)
		}
		po.Platform = &p
	}
	api, err := s.API()
	if err != nil {
		return err
	}
	resp, err := api.ImagePush(ctx, reference.FamiliarString(ref), po)
	if err != nil {
		return err
	}
	if !o.quiet {
		return progress.Show(ctx, resp, s.Out)
	}
	if err := progress.Drain(ctx, resp); err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.Out, ref.String())
	return err
}
