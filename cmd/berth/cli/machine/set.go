package machine

import (
	"fmt"
	"strings"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/machineapi"
	"github.com/docker/go-units"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// sizes are the flags that say how large a machine is.
type sizes struct {
	cpus         int
	memory, disk string
	shares       []string
}

func (w *sizes) flags(f *pflag.FlagSet) {
	f.IntVar(&w.cpus, "cpus", 0, "Processors of the machine (default: half of this computer's)")
	f.StringVar(&w.memory, "memory", "", "Memory of the machine, such as 2g")
	f.StringVar(&w.disk, "disk", "", "Size of its disk, such as 64g; it grows, and takes up what is on it")
	f.StringArrayVar(&w.shares, "share", nil, "A directory of this computer that containers may have (default: your home and the directory of temporary files)")
}

func (w *sizes) settings() (machineapi.Settings, error) {
	set := machineapi.Settings{CPUs: w.cpus, Shares: strings.Join(w.shares, "\n")}
	for _, one := range []struct {
		flag, text string
		to         *int64
	}{{"memory", w.memory, &set.Memory}, {"disk", w.disk, &set.Disk}} {
		if one.text == "" {
			continue
		}
		n, err := units.RAMInBytes(one.text)
		if err != nil || n <= 0 {
			return set, errdefs.Invalid("invalid size %q for --%s", one.text, one.flag).WithHint("Write a number with a unit, such as 512m or 4g.")
		}
		*one.to = n
	}
	return set, nil
}

func newSet(s *session.Session) *cobra.Command {
	var wish sizes
	c := &cobra.Command{
		Use: "set [OPTIONS] [MACHINE]", Short: "Change a virtual machine; it has what was set from its next start on", Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: complete(s),
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		m, err := named(s, args)
		if err != nil {
			return err
		}
		want, err := wish.settings()
		if err != nil {
			return err
		}
		if want == (machineapi.Settings{}) {
			return errdefs.Invalid("nothing to set").WithHint("See 'berth machine set --help'.")
		}
		a, err := agent(c.Context(), m)
		if err != nil {
			return err
		}
		got, err := a.Set(c.Context(), want)
		if err != nil {
			return err
		}
		if got.State == machineapi.Running {
			fmt.Fprintln(s.Out, "set; to be seen after: berth machine restart")
		}
		return nil
	}
	wish.flags(c.Flags())
	return c
}
