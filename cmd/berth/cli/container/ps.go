package container

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

type psOptions struct {
	quiet, size, all, noTrunc, latest bool
	last                              int
	format                            string
	filter                            opts.FilterOpt
}

// NewPs is the verb ps, and NewLs the same as container ls.
func NewPs(s *session.Session) *cobra.Command {
	o := psOptions{filter: opts.NewFilterOpt()}
	cmd := &cobra.Command{
		Use:               "ps [OPTIONS]",
		Short:             "List containers",
		Args:              session.NoArgs(),
		ValidArgsFunction: completion.None(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runPs(cmd.Context(), s, &o, cmd.Flags().Changed("size"))
		},
	}
	fs := cmd.Flags()
	fs.BoolVarP(&o.quiet, "quiet", "q", false, "Only display container IDs")
	fs.BoolVarP(&o.size, "size", "s", false, "Display total file sizes")
	fs.BoolVarP(&o.all, "all", "a", false, "Show all containers (default shows just running)")
	fs.BoolVar(&o.noTrunc, "no-trunc", false, "Don't truncate output")
	fs.BoolVarP(&o.latest, "latest", "l", false, "Show the latest created container (includes all states)")
	fs.IntVarP(&o.last, "last", "n", -1, "Show n last created containers (includes all states)")
	fs.StringVar(&o.format, "format", "", format.Help)
	fs.VarP(&o.filter, "filter", "f", "Filter output based on conditions provided")
	return cmd
}

// NewLs is ps under the group container.
func NewLs(s *session.Session) *cobra.Command {
	cmd := NewPs(s)
	cmd.Use, cmd.Aliases = "ls [OPTIONS]", []string{"list", "ps"}
	return cmd
}

func runPs(ctx context.Context, s *session.Session, o *psOptions, sizeGiven bool) error {
	layout := formatter.NewContainerFormat(format.Choose(o.format, s.Config().PsFormat, o.quiet), o.quiet, o.size)
	lo := client.ContainerListOptions{All: o.all, Limit: o.last, Size: o.size, Filters: o.filter.Value()}
	if o.latest && o.last == -1 {
		lo.Limit = 1
	}
	if !sizeGiven && !o.quiet && layout.Contains(".Size") { // sizes cost the engine time: only where they are shown
		lo.Size = true
	}
	api, err := s.API()
	if err != nil {
		return err
	}
	res, err := api.ContainerList(ctx, lo)
	if err != nil {
		return err
	}
	return formatter.ContainerWrite(formatter.Context{Output: s.Out, Format: layout, Trunc: !o.noTrunc}, res.Items)
}
