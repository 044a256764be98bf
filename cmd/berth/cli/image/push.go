package image

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client"
	"github.com/moby/moby/client/pkg/jsonmessage"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"
)

func newPush(s *session.Session) *cobra.Command {
	var quiet, all bool
	var platform string
	c := &cobra.Command{Use: "push [OPTIONS] NAME[:TAG]", Short: "Upload an image to a registry", Args: cobra.ExactArgs(1), ValidArgsFunction: Complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		named, err := reference.ParseNormalizedNamed(args[0])
		if err != nil {
			return errdefs.Invalid("invalid reference format: %w", err)
		}
		o := client.ImagePushOptions{}
		list, err := parsePlatforms(platform)
		if err != nil {
			return err
		}
		if len(list) > 0 {
			o.Platform = &list[0]
		}
		if o.RegistryAuth, err = auth(s.Credentials(), args[0]); err != nil {
			return err
		}
		if all && !reference.IsNameOnly(named) {
			return errdefs.Invalid("tag can't be used with --all-tags/-a")
		}
		o.All = all
		if reference.IsNameOnly(named) && !all && !quiet {
			fmt.Fprintln(s.Out, "Using default tag: latest")
		}
		name := reference.FamiliarString(named)
		if !all {
			name = reference.FamiliarString(reference.TagNameOnly(named))
		}
		r, err := cl.ImagePush(c.Context(), name, o)
		if err != nil {
			return err
		}
		defer r.Close()
		if quiet {
			if err := jsonmessage.DisplayStream(r, io.Discard); err != nil {
				return err
			}
			fmt.Fprintln(s.Out, reference.TagNameOnly(named).String())
			return nil
		}
		return jsonmessage.DisplayStream(r, s.Out, jsonmessage.WithAuxCallback(partPushed(s)))
	}
	c.Flags().BoolVarP(&all, "all-tags", "a", false, "Push all tags of an image to the repository")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "Suppress verbose output")
	c.Flags().StringVar(&platform, "platform", "", "Push a platform-specific manifest as a single-platform image to the registry.\n"+
		"Image index won't be pushed, meaning that other manifests, including attestations won't be preserved.\n"+
		"'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)")
	return c
}

// partPushed tells that only one platform's part of an image went, because the rest is not here.
func partPushed(s *session.Session) func(jsonstream.Message) {
	return func(m jsonstream.Message) {
		var part struct {
			Instead  bool               `json:"manifestPushedInsteadOfIndex"`
			Index    ocispec.Descriptor `json:"originalIndex"`
			Manifest ocispec.Descriptor `json:"selectedManifest"`
		}
		if m.Aux == nil || json.Unmarshal(*m.Aux, &part) != nil || !part.Instead {
			return
		}
		fmt.Fprintf(s.Err, "Info → Not all multiplatform-content is present and only the available single-platform image was pushed\n        %s -> %s\n",
			part.Index.Digest, part.Manifest.Digest)
	}
}
