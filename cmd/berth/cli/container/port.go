package container

import (
	"fmt"
	"slices"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	mobynet "github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newPort(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "port CONTAINER [PRIVATE_PORT[/PROTO]]", Short: "List port mappings or a specific mapping for the container", Args: cobra.RangeArgs(1, 2), ValidArgsFunction: complete(s, false)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		info, err := cl.ContainerInspect(c.Context(), args[0], client.ContainerInspectOptions{})
		if err != nil {
			return err
		}
		ports := info.Container.NetworkSettings.Ports
		var lines []string
		if len(args) == 2 {
			p, err := mobynet.ParsePort(args[1])
			if err != nil {
				return errdefs.Invalid("invalid port %q", args[1])
			}
			if len(ports[p]) == 0 {
				return errdefs.NotFound("Error: No public port '%s' published for %s", args[1], args[0])
			}
			for _, b := range ports[p] {
				lines = append(lines, hostPort(b))
			}
		} else {
			for p, list := range ports {
				for _, b := range list {
					lines = append(lines, p.String()+" -> "+hostPort(b))
				}
			}
		}
		slices.Sort(lines)
		for _, l := range lines {
			fmt.Fprintln(s.Out, l)
		}
		return nil
	}
	return c
}

func hostPort(b mobynet.PortBinding) string {
	if b.HostIP.Is6() {
		return "[" + b.HostIP.String() + "]:" + b.HostPort
	}
	return b.HostIP.String() + ":" + b.HostPort
}
