package image

import (
	"context"
	"fmt"
	"io"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/client"
	"github.com/moby/moby/client/pkg/jsonmessage"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"
)

func newPull(s *session.Session) *cobra.Command {
	var platform string
	var quiet, all bool
	c := &cobra.Command{Use: "pull [OPTIONS] NAME[:TAG|@DIGEST]", Short: "Download an image from a registry", Args: cobra.ExactArgs(1)}
	c.RunE = func(c *cobra.Command, args []string) error {
		named, err := reference.ParseNormalizedNamed(args[0])
		if err != nil {
			return errdefs.Invalid("invalid reference format: %w", err)
		}
		if all && !reference.IsNameOnly(named) {
			return errdefs.Invalid("tag can't be used with --all-tags/-a")
		}
		shown := named
		if !all {
			shown = reference.TagNameOnly(named)
		}
		if reference.IsNameOnly(named) && !all && !quiet {
			fmt.Fprintln(s.Out, "Using default tag: latest")
		}
		if err := pull(c.Context(), s, args[0], platform, all, quiet, s.Out); err != nil {
			return err
		}
		fmt.Fprintln(s.Out, shown.String())
		return nil
	}
	f := c.Flags()
	f.StringVar(&platform, "platform", "", "Set platform if server is multi-platform capable")
	f.BoolVarP(&quiet, "quiet", "q", false, "Suppress verbose output")
	f.BoolVarP(&all, "all-tags", "a", false, "Download all tagged images in the repository")
	return c
}

// Pull gets an image and shows how it comes: bars on a terminal, lines elsewhere.
func Pull(ctx context.Context, s *session.Session, ref, platform string, quiet bool, out io.Writer) error {
	return pull(ctx, s, ref, platform, false, quiet, out)
}

func pull(ctx context.Context, s *session.Session, ref, platform string, all, quiet bool, out io.Writer) error {
	cl, err := s.Client()
	if err != nil {
		return err
	}
	o := client.ImagePullOptions{All: all}
	if o.RegistryAuth, err = auth(s.Credentials(), ref); err != nil {
		return err
	}
	if platform != "" {
		p, err := platforms.Parse(platform)
		if err != nil {
			return errdefs.Invalid("invalid platform %q: %w", platform, err)
		}
		o.Platforms = []ocispec.Platform{p}
	}
	r, err := cl.ImagePull(ctx, ref, o)
	if err != nil {
		return withSuggestion(ctx, cl, ref, err)
	}
	defer r.Close()
	if quiet {
		out = io.Discard
	}
	if err := jsonmessage.DisplayStream(r, out); err != nil {
		return withSuggestion(ctx, cl, ref, err)
	}
	return nil
}

// auth finds the credentials of a reference's registry: in docker's configuration or its credential helper.
func auth(cfg *configfile.ConfigFile, ref string) (string, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return "", errdefs.Invalid("invalid reference format: %w", err)
	}
	host := reference.Domain(named)
	if host == "docker.io" {
		host = IndexServer
	}
	a, err := cfg.GetAuthConfig(host)
	if err != nil {
		return "", fmt.Errorf("reading the credentials of %s: %w", host, err)
	}
	return authconfig.Encode(registry.AuthConfig{
		Username: a.Username, Password: a.Password, Auth: a.Auth, ServerAddress: a.ServerAddress, IdentityToken: a.IdentityToken, RegistryToken: a.RegistryToken,
	})
}

// IndexServer is the name under which docker keeps the credentials of Docker Hub.
const IndexServer = "https://index.docker.io/v1/"
