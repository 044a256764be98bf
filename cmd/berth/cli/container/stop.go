package container

import (
	"context"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/berthhq/berth/cmd/berth/cli/completion"
	"github.com/berthhq/berth/cmd/berth/cli/session"
)

// stopOptions are those of stop and restart.
type stopOptions struct {
	signal  string
	timeout int // seconds; -1 waits for ever
}

func (o *stopOptions) add(fs *pflag.FlagSet) {
	fs.StringVarP(&o.signal, "signal", "s", "", "Signal to send to the container")
	fs.IntVarP(&o.timeout, "timeout", "t", 0, "Seconds to wait before killing the container")
	fs.IntVar(&o.timeout, "time", 0, "Seconds to wait before killing the container")
	fs.Lookup("time").Deprecated = "use --timeout instead"
}

// given is the timeout, nil where the container's own counts.
func (o *stopOptions) given(fs *pflag.FlagSet) *int {
	if fs.Changed("timeout") || fs.Changed("time") {
		return &o.timeout
	}
	return nil
}

// NewStop is the verb stop.
func NewStop(s *session.Session) *cobra.Command {
	var o stopOptions
	cmd := &cobra.Command{
		Use:               "stop [OPTIONS] CONTAINER [CONTAINER...]",
		Short:             "Stop one or more running containers",
		Args:              session.MinArgs(1),
		ValidArgsFunction: completion.Running(s),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runStop(cmd.Context(), s, client.ContainerStopOptions{Signal: o.signal, Timeout: o.given(cmd.Flags())}, args)
		},
	}
	o.add(cmd.Flags())
	return cmd
}

func runStop(ctx context.Context, s *session.Session, o client.ContainerStopOptions, names []string) error {
	api, err := s.API()
	if err != nil {
		return err
	}
	return s.Each(ctx, names, func(ctx context.Context, name string) error {
		_, err := api.ContainerStop(ctx, name, o)
		return err
	})
}
