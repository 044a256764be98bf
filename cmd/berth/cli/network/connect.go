package network

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	mobynet "github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newConnect(s *session.Session) *cobra.Command {
	var ip, ip6 string
	var aliases, links, linkLocal, driverOpts []string
	var priority int
	c := &cobra.Command{Use: "connect [OPTIONS] NETWORK CONTAINER", Short: "Connect a container to a network", Args: cobra.ExactArgs(2), ValidArgsFunction: complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		ep := &mobynet.EndpointSettings{Aliases: aliases, Links: links, GwPriority: priority}
		if ep.DriverOpts, err = pairs(driverOpts); err != nil {
			return errdefs.Invalid("%w", err)
		}
		if ep.IPAMConfig, err = addresses(ip, ip6, linkLocal); err != nil {
			return errdefs.Invalid("%w", err)
		}
		_, err = cl.NetworkConnect(c.Context(), args[0], client.NetworkConnectOptions{Container: args[1], EndpointConfig: ep})
		return err
	}
	f := c.Flags()
	f.StringVar(&ip, "ip", "", "IPv4 address (e.g., \"172.30.100.104\")")
	f.StringVar(&ip6, "ip6", "", "IPv6 address (e.g., \"2001:db8::33\")")
	f.StringSliceVar(&aliases, "alias", nil, "Add network-scoped alias for the container")
	f.StringSliceVar(&links, "link", nil, "Add link to another container")
	f.StringSliceVar(&linkLocal, "link-local-ip", nil, "Add a link-local address for the container")
	f.StringSliceVar(&driverOpts, "driver-opt", nil, "driver options for the network")
	f.IntVar(&priority, "gw-priority", 0, "Highest gw-priority provides the default gateway")
	return c
}

// addresses reads those asked for; nil where none are.
func addresses(ip, ip6 string, linkLocal []string) (*mobynet.EndpointIPAMConfig, error) {
	if ip == "" && ip6 == "" && len(linkLocal) == 0 {
		return nil, nil
	}
	out := &mobynet.EndpointIPAMConfig{LinkLocalIPs: make([]netip.Addr, len(linkLocal))}
	texts, to := []string{ip, ip6}, []*netip.Addr{&out.IPv4Address, &out.IPv6Address}
	for i, text := range linkLocal {
		texts, to = append(texts, text), append(to, &out.LinkLocalIPs[i])
	}
	for i, text := range texts {
		if text == "" && i < 2 {
			continue
		}
		var err error
		if *to[i], err = netip.ParseAddr(text); err != nil {
			return nil, fmt.Errorf("%s is not an IP address", text)
		}
	}
	return out, nil
}

// pairs reads options of the form key=value.
func pairs(options []string) (map[string]string, error) {
	var out map[string]string
	for _, o := range options {
		k, v, ok := strings.Cut(o, "=")
		if k = strings.TrimSpace(k); !ok || k == "" {
			return nil, errors.New("invalid key/value pair format in driver options")
		}
		if out == nil {
			out = map[string]string{}
		}
		out[k] = strings.TrimSpace(v)
	}
	return out, nil
}
