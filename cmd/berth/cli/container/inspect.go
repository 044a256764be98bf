package container

import (
	"context"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"github.com/berthhq/berth/cmd/berth/cli/completion"
	"github.com/berthhq/berth/cmd/berth/cli/format"
	"github.com/berthhq/berth/cmd/berth/cli/session"
)

type inspectOptions struct {
	format string
	size   bool
}

// NewInspect is the verb inspect of the group container.
func NewInspect(s *session.Session) *cobra.Command {
	var o inspectOptions
	cmd := &cobra.Command{
		Use:               "inspect [OPTIONS] CONTAINER [CONTAINER...]",
		Short:             "Display detailed information on one or more containers",
		Args:              session.MinArgs(1),
		ValidArgsFunction: completion.Containers(s),
		RunE:              func(cmd *cobra.Command, args []string) error { return runInspect(cmd.Context(), s, &o, args) },
	}
	cmd.Flags().StringVarP(&o.format, "format", "f", "", format.InspectHelp)
	cmd.Flags().BoolVarP(&o.size, "size", "s", false, "Display total file sizes")
	return cmd
}

func runInspect(ctx context.Context, s *session.Session, o *inspectOptions, names []string) error {
	api, err := s.API()
	if err != nil {
		return err
	}
	return format.Inspect(ctx, s.Out, names, o.format, func(ctx context.Context, name string) (any, []byte, error) {
		r, err := api.ContainerInspect(ctx, name, client.ContainerInspectOptions{Size: o.size})
		return r.Container, r.Raw, err
	})
}
