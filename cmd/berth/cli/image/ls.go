package image

import (
	"context"

	"github.com/docker/cli/cli/command/formatter"
	"github.com/docker/cli/opts"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"github.com/berthhq/berth/cmd/berth/cli/completion"
	"github.com/berthhq/berth/cmd/berth/cli/format"
	"github.com/berthhq/berth/cmd/berth/cli/session"
)

type lsOptions struct {
	quiet, all, noTrunc, digests bool
	format                       string
	filter                       opts.FilterOpt
}

// NewImages is the verb images.
func NewImages(s *session.Session) *cobra.Command {
	o := lsOptions{filter: opts.NewFilterOpt()}
	cmd := &cobra.Command{
		Use:               "images [OPTIONS] [REPOSITORY[:TAG]]",
		Short:             "List images",
		Args:              session.RangeArgs(0, 1),
		ValidArgsFunction: completion.Then(completion.Images(s)),
		RunE:              func(cmd *cobra.Command, args []string) error { return runLs(cmd.Context(), s, &o, args) },
	}
	fs := cmd.Flags()
	fs.BoolVarP(&o.quiet, "quiet", "q", false, "Only show image IDs")
	fs.BoolVarP(&o.all, "all", "a", false, "Show all images (default hides intermediate images)")
	fs.BoolVar(&o.noTrunc, "no-trunc", false, "Don't truncate output")
	fs.BoolVar(&o.digests, "digests", false, "Show digests")
	fs.StringVar(&o.format, "format", "", format.Help)
	fs.VarP(&o.filter, "filter", "f", "Filter output based on conditions provided")
	return cmd
}

// NewLs is images under the group image.
func NewLs(s *session.Session) *cobra.Command {
	cmd := NewImages(s)
	cmd.Use, cmd.Aliases = "ls [OPTIONS] [REPOSITORY[:TAG]]", []string{"list"}
	return cmd
}

func runLs(ctx context.Context, s *session.Session, o *lsOptions, args []string) error {
	filters := o.filter.Value()
	if len(args) == 1 {
		filters = filters.Clone().Add("reference", args[0])
	}
	api, err := s.API()
	if err != nil {
		return err
	}
	res, err := api.ImageList(ctx, client.ImageListOptions{All: o.all, Filters: filters})
	if err != nil {
		return err
	}
	layout := format.Choose(o.format, s.Config().ImagesFormat, o.quiet)
	return formatter.ImageWrite(formatter.ImageContext{
		Context: formatter.Context{Output: s.Out, Format: formatter.NewImageFormat(layout, o.quiet, o.digests), Trunc: !o.noTrunc},
		Digest:  o.digests,
	}, res.Items)
}
