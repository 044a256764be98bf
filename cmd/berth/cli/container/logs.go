package container

import (
	"context"
	"io"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"github.com/berthhq/berth/cmd/berth/cli/completion"
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/stream"
)

// NewLogs is the verb logs.
func NewLogs(s *session.Session) *cobra.Command {
	o := client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true}
	cmd := &cobra.Command{
		Use:               "logs [OPTIONS] CONTAINER",
		Short:             "Fetch the logs of a container",
		Args:              session.ExactArgs(1),
		ValidArgsFunction: completion.Then(completion.Containers(s)),
		RunE:              func(cmd *cobra.Command, args []string) error { return runLogs(cmd.Context(), s, o, args[0]) },
	}
	fs := cmd.Flags()
	fs.BoolVarP(&o.Follow, "follow", "f", false, "Follow log output")
	fs.StringVar(&o.Since, "since", "", `Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)`)
	fs.StringVar(&o.Until, "until", "", `Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)`)
	fs.BoolVarP(&o.Timestamps, "timestamps", "t", false, "Show timestamps")
	fs.BoolVar(&o.Details, "details", false, "Show extra details provided to logs")
	fs.StringVarP(&o.Tail, "tail", "n", "all", "Number of lines to show from the end of the logs")
	return cmd
}

func runLogs(ctx context.Context, s *session.Session, o client.ContainerLogsOptions, name string) error {
	api, err := s.API()
	if err != nil {
		return err
	}
	ins, err := api.ContainerInspect(ctx, name, client.ContainerInspectOptions{})
	if err != nil {
		return err
	}
	body, err := api.ContainerLogs(ctx, ins.Container.ID, o)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	if ins.Container.Config.Tty {
		_, err = io.Copy(s.Out, body)
		return err
	}
	return stream.Demux(s.Out, s.Err, body)
}
