// Package volume is the verbs on volumes.
package volume

import (
	"fmt"
	"strings"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/docker/cli/cli/command/formatter"
	"github.com/docker/cli/opts"
	"github.com/docker/go-units"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

// Group is "berth volume".
func Group(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "volume", Short: "Manage volumes", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(newCreate(s), newList(s), newInspect(s), newRemove(s), newPrune(s))
	return c
}

func newCreate(s *session.Session) *cobra.Command {
	var o client.VolumeCreateOptions
	labels, driverOpts := opts.NewListOpts(nil), opts.NewMapOpts(nil, nil)
	c := &cobra.Command{Use: "create [OPTIONS] [VOLUME]", Short: "Create a volume", Args: cobra.MaximumNArgs(1)}
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			if o.Name != "" {
				return errdefs.Invalid("conflicting options: cannot specify a volume name through both --name and as a positional arg")
			}
			o.Name = args[0]
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		o.DriverOpts, o.Labels = driverOpts.GetAll(), opts.ConvertKVStringsToMap(labels.GetSlice())
		r, err := cl.VolumeCreate(c.Context(), o)
		if err != nil {
			return err
		}
		fmt.Fprintln(s.Out, r.Volume.Name)
		return nil
	}
	f := c.Flags()
	f.StringVarP(&o.Driver, "driver", "d", "local", "Specify volume driver name")
	f.StringVar(&o.Name, "name", "", "Specify volume name")
	_ = f.MarkHidden("name")
	f.Var(&labels, "label", "Set metadata for a volume")
	f.VarP(driverOpts, "opt", "o", "Set driver specific options")
	return c
}

func newList(s *session.Session) *cobra.Command {
	var quiet bool
	var format string
	filter := opts.NewFilterOpt()
	c := &cobra.Command{Use: "ls [OPTIONS]", Aliases: []string{"list"}, Short: "List volumes", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.VolumeList(c.Context(), client.VolumeListOptions{Filters: filter.Value()})
		if err != nil {
			return err
		}
		if format == "" && !quiet {
			format = s.Config().VolumesFormat
		}
		if format == "" {
			format = formatter.TableFormatKey
		}
		return formatter.VolumeWrite(formatter.Context{Output: s.Out, Format: formatter.NewVolumeFormat(format, quiet)}, r.Items)
	}
	f := c.Flags()
	f.BoolVarP(&quiet, "quiet", "q", false, "Only display volume names")
	f.StringVar(&format, "format", "", "Format output using a custom template: table, table TEMPLATE, json, TEMPLATE")
	f.VarP(&filter, "filter", "f", "Provide filter values (e.g. \"dangling=true\")")
	return c
}

func newInspect(s *session.Session) *cobra.Command {
	var format string
	c := &cobra.Command{Use: "inspect [OPTIONS] VOLUME [VOLUME...]", Short: "Display detailed information on one or more volumes", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		return s.Inspect(args, format, func(n string) (session.Object, error) {
			r, err := cl.VolumeInspect(c.Context(), n, client.VolumeInspectOptions{})
			return session.Object{Raw: r.Raw, Typed: r.Volume}, err
		})
	}
	c.Flags().StringVarP(&format, "format", "f", "", "Format output using a custom template, or json")
	return c
}

func newRemove(s *session.Session) *cobra.Command {
	var force bool
	c := &cobra.Command{Use: "rm [OPTIONS] VOLUME [VOLUME...]", Aliases: []string{"remove"}, Short: "Remove one or more volumes", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		return s.Each(args, func(n string) (string, error) {
			_, err := cl.VolumeRemove(c.Context(), n, client.VolumeRemoveOptions{Force: force})
			return n, err
		})
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "Force the removal of one or more volumes")
	return c
}

func newPrune(s *session.Session) *cobra.Command {
	var force, all bool
	c := &cobra.Command{Use: "prune [OPTIONS]", Short: "Remove unused local volumes", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		what := "anonymous local volumes"
		if all {
			what = "all local volumes"
		}
		if !force && !s.Confirm("WARNING! This will remove "+what+" not used by at least one container.\nAre you sure you want to continue?") {
			return nil
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.VolumePrune(c.Context(), client.VolumePruneOptions{All: all})
		if err != nil {
			return err
		}
		if len(r.Report.VolumesDeleted) > 0 {
			fmt.Fprintf(s.Out, "Deleted Volumes:\n%s\n\n", strings.Join(r.Report.VolumesDeleted, "\n"))
		}
		fmt.Fprintln(s.Out, "Total reclaimed space:", units.HumanSize(float64(r.Report.SpaceReclaimed)))
		return nil
	}
	f := c.Flags()
	f.BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation")
	f.BoolVarP(&all, "all", "a", false, "Remove all unused volumes, not just anonymous ones")
	return c
}

func complete(s *session.Session) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, _ string) (out []string, d cobra.ShellCompDirective) {
		cl, err := s.Client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		r, err := cl.VolumeList(c.Context(), client.VolumeListOptions{})
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		for _, v := range r.Items {
			out = append(out, v.Name)
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}
