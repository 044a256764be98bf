package container

import (
	"io"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/stream"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newLogs(s *session.Session) *cobra.Command {
	o := client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true}
	c := &cobra.Command{Use: "logs [OPTIONS] CONTAINER", Short: "Fetch the logs of a container", Args: cobra.ExactArgs(1), ValidArgsFunction: complete(s, true)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		info, err := cl.ContainerInspect(c.Context(), args[0], client.ContainerInspectOptions{})
		if err != nil {
			return err
		}
		r, err := cl.ContainerLogs(c.Context(), info.Container.ID, o)
		if err != nil {
			return err
		}
		defer r.Close()
		if info.Container.Config.Tty {
			_, err = io.Copy(s.Out, r)
			return err
		}
		return stream.Demux(s.Out, s.Err, r)
	}
	f := c.Flags()
	f.BoolVarP(&o.Follow, "follow", "f", false, "Follow log output")
	f.StringVar(&o.Since, "since", "", "Show logs since timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 minutes)")
	f.StringVar(&o.Until, "until", "", "Show logs before a timestamp or relative")
	f.BoolVarP(&o.Timestamps, "timestamps", "t", false, "Show timestamps")
	f.BoolVar(&o.Details, "details", false, "Show extra details provided to logs")
	f.StringVarP(&o.Tail, "tail", "n", "all", "Number of lines to show from the end of the logs")
	return c
}
