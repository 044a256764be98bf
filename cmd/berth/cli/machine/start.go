package machine

import (
	"context"
	"fmt"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/endpoint"
	"github.com/berthhq/berth/internal/machineapi"
	"github.com/berthhq/berth/internal/paths"
	"github.com/spf13/cobra"
)

func newStart(s *session.Session) *cobra.Command {
	var driver string
	var wish sizes
	c := &cobra.Command{
		Use: "start [OPTIONS] [MACHINE]", Short: "Start a virtual machine with an engine in it", Args: cobra.MaximumNArgs(1),
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
		want.Driver = driver
		return start(c.Context(), s, m, want)
	}
	c.Flags().StringVar(&driver, "driver", "", "What drives the machine: qemu (default: as before, or the best there is)")
	wish.flags(c.Flags())
	return c
}

func start(ctx context.Context, s *session.Session, m paths.Machine, want machineapi.Settings) error {
	a, err := agent(ctx, m)
	if err != nil {
		return err
	}
	if want != (machineapi.Settings{}) {
		if _, err := a.Set(ctx, want); err != nil {
			return err
		}
	}
	got, err := a.Start(ctx, tell(s))
	if err != nil {
		return err
	}
	name := contextName(m)
	err = addContext(s, name, got.Socket)
	fmt.Fprintf(s.Out, "machine %s is running: %s, %d cpu, %d MiB\n", got.Name, got.Accelerator, got.Settings.CPUs, got.Settings.Memory>>20)
	fmt.Fprintf(s.Out, "its engine answers at unix://%s\n", got.Socket)
	if err == nil {
		fmt.Fprintf(s.Out, "use it with: berth -c %s ..., docker -c %s ..., or once and for all: berth context use %s\n", name, name, name)
	}
	return err
}

// contextName is the docker context of a machine.
func contextName(m paths.Machine) string {
	if m.Name == paths.DefaultMachine {
		return "berth-machine"
	}
	return "berth-machine-" + m.Name
}

// addContext lets docker's command line and this one name the engine; a context that is there is set right.
func addContext(s *session.Session, name, socket string) error {
	contexts := endpoint.Contexts{Dir: s.ConfigDir()}
	want := endpoint.Context{Name: name, Description: "The engine in berth's virtual machine", Host: "unix://" + socket}
	switch is, err := contexts.Get(name); {
	case err != nil:
		return contexts.Create(want)
	case is.Host != want.Host:
		return contexts.Update(want)
	}
	return nil
}
