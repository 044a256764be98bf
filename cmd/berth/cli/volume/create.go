package volume

import (
	"fmt"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/docker/cli/opts"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

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
