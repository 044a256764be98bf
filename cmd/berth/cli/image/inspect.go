package image

import (
	"bytes"
	"context"

	"github.com/containerd/platforms"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"github.com/berthhq/berth/cmd/berth/cli/completion"
	"github.com/berthhq/berth/cmd/berth/cli/format"
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
)

type inspectOptions struct{ format, platform string }

// NewInspect is the verb inspect of the group image.
func NewInspect(s *session.Session) *cobra.Command {
	var o inspectOptions
	cmd := &cobra.Command{
		Use:               "inspect [OPTIONS] IMAGE [IMAGE...]",
		Short:             "Display detailed information on one or more images",
		Args:              session.MinArgs(1),
		ValidArgsFunction: completion.Images(s),
		RunE:              func(cmd *cobra.Command, args []string) error { return runInspect(cmd.Context(), s, &o, args) },
	}
	cmd.Flags().StringVarP(&o.format, "format", "f", "", format.InspectHelp)
	cmd.Flags().StringVar(&o.platform, "platform", "", `Inspect a specific platform of the multi-platform image`)
	return cmd
}

func runInspect(ctx context.Context, s *session.Session, o *inspectOptions, names []string) error {
	var io []client.ImageInspectOption
	if o.platform != "" {
		p, err := platforms.Parse(o.platform)
		if err != nil {
			return errdefs.Invalid("error parsing specified platform: %w", err)
		}
		io = append(io, client.ImageInspectWithPlatform(&p))
	}
	api, err := s.API()
	if err != nil {
		return err
	}
	return format.Inspect(ctx, s.Out, names, o.format, func(ctx context.Context, name string) (any, []byte, error) {
		var raw bytes.Buffer
		r, err := api.ImageInspect(ctx, name, append(io, client.ImageInspectWithRawResponse(&raw))...)
		return r.InspectResponse, raw.Bytes(), err
	})
}
