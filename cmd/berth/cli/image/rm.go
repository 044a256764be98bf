package image

import (
	"context"
	"errors"
	"fmt"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"github.com/berthhq/berth/cmd/berth/cli/completion"
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
)

type rmOptions struct {
	force, noPrune bool
	platforms      []string
}

// NewRmi is the verb rmi.
func NewRmi(s *session.Session) *cobra.Command {
	var o rmOptions
	cmd := &cobra.Command{
		Use:               "rmi [OPTIONS] IMAGE [IMAGE...]",
		Short:             "Remove one or more images",
		Args:              session.MinArgs(1),
		ValidArgsFunction: completion.Images(s),
		RunE:              func(cmd *cobra.Command, args []string) error { return runRm(cmd.Context(), s, &o, args) },
	}
	fs := cmd.Flags()
	fs.BoolVarP(&o.force, "force", "f", false, "Force removal of the image")
	fs.BoolVar(&o.noPrune, "no-prune", false, "Do not delete untagged parents")
	fs.StringSliceVar(&o.platforms, "platform", nil, `Remove only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")`)
	return cmd
}

// NewRm is rmi under the group image.
func NewRm(s *session.Session) *cobra.Command {
	cmd := NewRmi(s)
	cmd.Use, cmd.Aliases = "rm [OPTIONS] IMAGE [IMAGE...]", []string{"rmi", "remove"}
	return cmd
}

func runRm(ctx context.Context, s *session.Session, o *rmOptions, names []string) error {
	ro := client.ImageRemoveOptions{Force: o.force, PruneChildren: !o.noPrune}
	for _, p := range o.platforms {
		pl, err := platforms.Parse(p)
		if err != nil {
			return errdefs.Invalid("error parsing specified platform: %w", err)
		}
		ro.Platforms = append(ro.Platforms, pl)
	}
	api, err := s.API()
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		res, err := api.ImageRemove(ctx, name, ro)
		if err != nil {
			if o.force && cerrdefs.IsNotFound(err) { // docker: -f says it and succeeds
				_, _ = fmt.Fprintln(s.Err, err)
				continue
			}
			errs = append(errs, err)
			continue
		}
		for _, d := range res.Items {
			line := "Untagged: " + d.Untagged
			if d.Deleted != "" {
				line = "Deleted: " + d.Deleted
			}
			if _, err := fmt.Fprintln(s.Out, line); err != nil {
				return err
			}
		}
	}
	return errors.Join(errs...)
}
