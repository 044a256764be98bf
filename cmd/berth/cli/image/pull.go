package image

import (
	"context"
	"errors"
	"fmt"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/moby/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"

	"github.com/berthhq/berth/cmd/berth/cli/completion"
	"github.com/berthhq/berth/cmd/berth/cli/credentials"
	"github.com/berthhq/berth/cmd/berth/cli/progress"
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
)

type pullOptions struct {
	all, quiet, noTrust bool
	platform            string
}

// NewPull is the verb pull.
func NewPull(s *session.Session) *cobra.Command {
	var o pullOptions
	cmd := &cobra.Command{
		Use:               "pull [OPTIONS] NAME[:TAG|@DIGEST]",
		Short:             "Download an image from a registry",
		Args:              session.ExactArgs(1),
		ValidArgsFunction: completion.Then(completion.Images(s)),
		RunE:              func(cmd *cobra.Command, args []string) error { return runPull(cmd.Context(), s, &o, args[0]) },
	}
	fs := cmd.Flags()
	fs.BoolVarP(&o.all, "all-tags", "a", false, "Download all tagged images in the repository")
	fs.BoolVarP(&o.quiet, "quiet", "q", false, "Suppress verbose output")
	fs.StringVar(&o.platform, "platform", s.Getenv("DOCKER_DEFAULT_PLATFORM"), "Set platform if server is multi-platform capable")
	ignoreTrust(fs, &o.noTrust)
	return cmd
}

func runPull(ctx context.Context, s *session.Session, o *pullOptions, name string) error {
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
	po := client.ImagePullOptions{All: o.all}
	if po.RegistryAuth, err = credentials.ForImage(s.Config(), name); err != nil {
		return err
	}
	if o.platform != "" {
		p, err := platforms.Parse(o.platform)
		if err != nil {
			return errdefs.Invalid("error parsing specified platform: %w", err)
		}
		po.Platforms = []ocispec.Platform{p}
	}
	api, err := s.API()
	if err != nil {
		return err
	}
	resp, err := api.ImagePull(ctx, reference.FamiliarString(ref), po)
	if err != nil {
		return err
	}
	if o.quiet {
		err = progress.Drain(ctx, resp)
	} else {
		err = progress.Show(ctx, resp, s.Out)
	}
	if err != nil {
		return fmt.Errorf("pulling %s: %w", reference.FamiliarString(ref), err)
	}
	_, err = fmt.Fprintln(s.Out, ref.String())
	return err
}
