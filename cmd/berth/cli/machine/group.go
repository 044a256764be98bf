// Package machine is the verbs on virtual machines. They speak with the machine's host agent (internal/machineapi), which
// those that change something start where none serves.
package machine

import (
	"context"
	"errors"
	"fmt"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/endpoint"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/machineapi"
	"github.com/berthhq/berth/internal/paths"
	"github.com/spf13/cobra"
)

// Group is "berth machine".
func Group(s *session.Session) *cobra.Command {
	c := &cobra.Command{
		Use: "machine", Short: "Manage the virtual machine that an engine lives in", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newStart(s), newStop(s), newRestart(s), newStatus(s), newInfo(s), newList(s), newSet(s), newLogs(s), newShell(s), newReset(s), newDoctor(s))
	return c
}

// named is the machine of an argument, or the default one.
func named(s *session.Session, args []string) (paths.Machine, error) {
	name := paths.DefaultMachine
	if len(args) > 0 {
		name = args[0]
	}
	if !paths.ValidMachine(name) {
		return paths.Machine{}, errdefs.Invalid("invalid machine name %q: letters, digits, '_', '.' and '-' are possible, up to 32", name)
	}
	return paths.MachineNamed(name, s.Getenv), nil
}

// agent speaks with the machine's host agent, started where none serves.
func agent(ctx context.Context, m paths.Machine) (*machineapi.Client, error) {
	if err := endpoint.StartAgent(ctx, m, nil); err != nil {
		return nil, err
	}
	return machineapi.NewClient(m.AgentSocket()), nil
}

// served is the machine of an argument with its host agent, started where none serves.
func served(ctx context.Context, s *session.Session, args []string) (paths.Machine, *machineapi.Client, error) {
	m, err := named(s, args)
	if err != nil {
		return m, nil, err
	}
	a, err := agent(ctx, m)
	return m, a, err
}

// asked is what the host agent says of the machine of an argument.
func asked(ctx context.Context, s *session.Session, args []string) (machineapi.Machine, error) {
	m, err := named(s, args)
	if err != nil {
		return machineapi.Machine{}, err
	}
	return ask(ctx, m)
}

// ask asks a host agent that may not be there: then the machine is stopped, or absent.
func ask(ctx context.Context, m paths.Machine) (machineapi.Machine, error) {
	got, err := machineapi.NewClient(m.AgentSocket()).Machine(ctx)
	if errors.Is(err, machineapi.ErrNoAgent) {
		return machineapi.Offline(m), nil
	}
	return got, err
}

// tell shows what a verb does as it does it. It goes to stderr: stdout has what scripts read.
func tell(s *session.Session) func(string) {
	return func(step string) { fmt.Fprintln(s.Err, step) }
}

// complete offers the names of machines.
func complete(s *session.Session) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for _, m := range paths.Machines(s.Getenv) {
			names = append(names, m.Name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
