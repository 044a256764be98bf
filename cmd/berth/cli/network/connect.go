package network

import (
	"net/netip"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	mobynet "github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newConnect(s *session.Session) *cobra.Command {
	var ip, ip6 string
	var aliases, links []string
	var priority int
	c := &cobra.Command{Use: "connect [OPTIONS] NETWORK CONTAINER", Short: "Connect a container to a network", Args: cobra.ExactArgs(2), ValidArgsFunction: complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		ep := &mobynet.EndpointSettings{Aliases: aliases, Links: links, GwPriority: priority}
		if ip != "" || ip6 != "" {
			ep.IPAMConfig = &mobynet.EndpointIPAMConfig{}
			for _, a := range []struct {
				text string
				to   *netip.Addr
			}{{ip, &ep.IPAMConfig.IPv4Address}, {ip6, &ep.IPAMConfig.IPv6Address}} {
				if a.text == "" {
					continue
				}
				if *a.to, err = netip.ParseAddr(a.text); err != nil {
					return errdefs.Invalid("%s is not an IP address", a.text)
				}
			}
		}
		_, err = cl.NetworkConnect(c.Context(), args[0], client.NetworkConnectOptions{Container: args[1], EndpointConfig: ep})
		return err
	}
	f := c.Flags()
	f.StringVar(&ip, "ip", "", "IPv4 address (e.g., \"172.30.100.104\")")
	f.StringVar(&ip6, "ip6", "", "IPv6 address (e.g., \"2001:db8::33\")")
	f.StringSliceVar(&aliases, "alias", nil, "Add network-scoped alias for the container")
	f.StringSliceVar(&links, "link", nil, "Add link to another container")
	f.IntVar(&priority, "gw-priority", 0, "Highest gw-priority provides the default gateway")
	return c
}
