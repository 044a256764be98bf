package container

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newStop(s *session.Session) *cobra.Command {
	var sig string
	var timeout int
	c := &cobra.Command{Use: "stop [OPTIONS] CONTAINER [CONTAINER...]", Short: "Stop one or more running containers", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s, false)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		o := client.ContainerStopOptions{Signal: sig}
		if c.Flags().Changed("timeout") || c.Flags().Changed("time") {
			o.Timeout = &timeout
		}
		return s.Each(args, func(n string) (string, error) { _, err := cl.ContainerStop(c.Context(), n, o); return n, err })
	}
	stopFlags(c, &sig, &timeout, "before killing the container")
	return c
}

func stopFlags(c *cobra.Command, sig *string, timeout *int, what string) {
	f := c.Flags()
	f.StringVarP(sig, "signal", "s", "", "Signal to send to the container")
	f.IntVarP(timeout, "timeout", "t", 0, "Seconds to wait "+what)
	f.IntVar(timeout, "time", 0, "Seconds to wait "+what)
	_ = f.MarkHidden("time")
}
