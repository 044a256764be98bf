// Package network is the verbs on networks.
package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"text/tabwriter"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/docker/cli/opts"
	"github.com/docker/cli/templates"
	mobynet "github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

// Group is "berth network".
func Group(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "network", Short: "Manage networks", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(newCreate(s), newList(s), newInspect(s), newRemove(s), newPrune(s), newConnect(s), newDisconnect(s))
	return c
}

func newCreate(s *session.Session) *cobra.Command {
	var o client.NetworkCreateOptions
	var ipv4, ipv6 bool
	var subnets, gateways, ranges []string
	labels, driverOpts, aux := opts.NewListOpts(nil), opts.NewMapOpts(nil, nil), opts.NewMapOpts(nil, nil)
	c := &cobra.Command{Use: "create [OPTIONS] NETWORK", Short: "Create a network", Args: cobra.ExactArgs(1)}
	f := c.Flags()
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		o.Labels, o.Options = opts.ConvertKVStringsToMap(labels.GetSlice()), driverOpts.GetAll()
		if f.Changed("ipv6") {
			o.EnableIPv6 = &ipv6
		}
		if f.Changed("ipv4") {
			o.EnableIPv4 = &ipv4
		}
		if o.IPAM, err = ipam(subnets, gateways, ranges, aux.GetAll()); err != nil {
			return errdefs.Invalid("%w", err)
		}
		r, err := cl.NetworkCreate(c.Context(), args[0], o)
		if err != nil {
			return err
		}
		for _, w := range r.Warning {
			fmt.Fprintln(s.Err, "WARNING:", w)
		}
		fmt.Fprintln(s.Out, r.ID)
		return nil
	}
	f.StringVarP(&o.Driver, "driver", "d", "bridge", "Driver to manage the Network")
	f.VarP(driverOpts, "opt", "o", "Set driver specific options")
	f.Var(&labels, "label", "Set metadata on a network")
	f.BoolVar(&o.Internal, "internal", false, "Restrict external access to the network")
	f.BoolVar(&ipv6, "ipv6", false, "Enable IPv6 address assignment")
	f.BoolVar(&ipv4, "ipv4", true, "Enable IPv4 address assignment")
	f.BoolVar(&o.Attachable, "attachable", false, "Enable manual container attachment")
	f.StringSliceVar(&subnets, "subnet", nil, "Subnet in CIDR format that represents a network segment")
	f.StringSliceVar(&gateways, "gateway", nil, "IPv4 or IPv6 Gateway for the master subnet")
	f.StringSliceVar(&ranges, "ip-range", nil, "Allocate container ip from a sub-range")
	f.Var(aux, "aux-address", "Auxiliary IPv4 or IPv6 addresses used by Network driver")
	return c
}

// ipam sorts gateways, ranges and auxiliary addresses to the subnets they lie in.
func ipam(subnets, gateways, ranges []string, aux map[string]string) (*mobynet.IPAM, error) {
	if len(subnets) == 0 {
		if len(gateways)+len(ranges)+len(aux) > 0 {
			return nil, errors.New("every ip-range or gateway or aux-address must have a corresponding subnet")
		}
		return nil, nil
	}
	out := &mobynet.IPAM{Driver: "default"}
	for _, text := range subnets {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("invalid subnet %s", text)
		}
		out.Config = append(out.Config, mobynet.IPAMConfig{Subnet: p, AuxAddress: map[string]netip.Addr{}})
	}
	in := func(a netip.Addr) *mobynet.IPAMConfig {
		for i := range out.Config {
			if out.Config[i].Subnet.Contains(a) {
				return &out.Config[i]
			}
		}
		return nil
	}
	for _, g := range gateways {
		a, err := netip.ParseAddr(g)
		c := in(a)
		if err != nil || c == nil {
			return nil, fmt.Errorf("no matching subnet for gateway %s", g)
		}
		c.Gateway = a
	}
	for _, r := range ranges {
		p, err := netip.ParsePrefix(r)
		c := in(p.Addr())
		if err != nil || c == nil {
			return nil, fmt.Errorf("no matching subnet for range %s", r)
		}
		c.IPRange = p
	}
	for k, v := range aux {
		a, err := netip.ParseAddr(v)
		c := in(a)
		if err != nil || c == nil {
			return nil, fmt.Errorf("no matching subnet for aux-address %s", v)
		}
		c.AuxAddress[k] = a
	}
	return out, nil
}

func newList(s *session.Session) *cobra.Command {
	var quiet, noTrunc bool
	var format string
	filter := opts.NewFilterOpt()
	c := &cobra.Command{Use: "ls [OPTIONS]", Aliases: []string{"list"}, Short: "List networks", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.NetworkList(c.Context(), client.NetworkListOptions{Filters: filter.Value()})
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(s.Out, 10, 1, 3, ' ', 0)
		header := format == "" || format == "table"
		if !quiet && header {
			fmt.Fprintln(w, "NETWORK ID\tNAME\tDRIVER\tSCOPE")
		}
		for _, n := range r.Items {
			id := n.ID
			if !noTrunc && len(id) > 12 {
				id = id[:12]
			}
			row := map[string]any{"ID": id, "Name": n.Name, "Driver": n.Driver, "Scope": n.Scope, "IPv6": fmt.Sprint(n.EnableIPv6), "Internal": fmt.Sprint(n.Internal), "CreatedAt": n.Created.String()}
			switch {
			case quiet:
				fmt.Fprintln(w, id)
			case header:
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", id, n.Name, n.Driver, n.Scope)
			case format == "json":
				b, err := json.Marshal(row)
				if err != nil {
					return err
				}
				fmt.Fprintln(w, string(b))
			default:
				t, err := templates.Parse(strings.TrimPrefix(format, "table "))
				if err != nil {
					return errdefs.Invalid("template parsing error: %w", err)
				}
				if err := t.Execute(w, row); err != nil {
					return errdefs.Invalid("template parsing error: %w", err)
				}
				fmt.Fprintln(w)
			}
		}
		return w.Flush()
	}
	f := c.Flags()
	f.BoolVarP(&quiet, "quiet", "q", false, "Only display network IDs")
	f.BoolVar(&noTrunc, "no-trunc", false, "Do not truncate the output")
	f.StringVar(&format, "format", "", "Format output using a custom template: table, json, TEMPLATE")
	f.VarP(&filter, "filter", "f", "Provide filter values (e.g. \"driver=bridge\")")
	return c
}

func newInspect(s *session.Session) *cobra.Command {
	var format string
	var verbose bool
	c := &cobra.Command{Use: "inspect [OPTIONS] NETWORK [NETWORK...]", Short: "Display detailed information on one or more networks", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		return s.Inspect(args, format, func(n string) (session.Object, error) {
			r, err := cl.NetworkInspect(c.Context(), n, client.NetworkInspectOptions{Verbose: verbose})
			return session.Object{Raw: r.Raw, Typed: r.Network}, err
		})
	}
	c.Flags().StringVarP(&format, "format", "f", "", "Format output using a custom template, or json")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "Verbose output for diagnostics")
	return c
}

func newRemove(s *session.Session) *cobra.Command {
	var force bool
	c := &cobra.Command{Use: "rm NETWORK [NETWORK...]", Aliases: []string{"remove"}, Short: "Remove one or more networks", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		return s.Each(args, func(n string) (string, error) {
			_, err := cl.NetworkRemove(c.Context(), n, client.NetworkRemoveOptions{})
			if force && errdefs.KindOf(err) == errdefs.KindNotFound {
				return "", nil
			}
			return n, err
		})
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "Do not error if the network does not exist")
	return c
}

func newPrune(s *session.Session) *cobra.Command {
	var force bool
	c := &cobra.Command{Use: "prune [OPTIONS]", Short: "Remove all unused networks", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		if !force && !s.Confirm("WARNING! This will remove all custom networks not used by at least one container.\nAre you sure you want to continue?") {
			return nil
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.NetworkPrune(c.Context(), client.NetworkPruneOptions{})
		if err != nil {
			return err
		}
		if len(r.Report.NetworksDeleted) > 0 {
			fmt.Fprintf(s.Out, "Deleted Networks:\n%s\n\n", strings.Join(r.Report.NetworksDeleted, "\n"))
		}
		return nil
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation")
	return c
}

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

func newDisconnect(s *session.Session) *cobra.Command {
	var force bool
	c := &cobra.Command{Use: "disconnect [OPTIONS] NETWORK CONTAINER", Short: "Disconnect a container from a network", Args: cobra.ExactArgs(2), ValidArgsFunction: complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		_, err = cl.NetworkDisconnect(c.Context(), args[0], client.NetworkDisconnectOptions{Container: args[1], Force: force})
		return err
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "Force the container to disconnect from a network")
	return c
}

func complete(s *session.Session) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, _ string) (out []string, d cobra.ShellCompDirective) {
		cl, err := s.Client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		r, err := cl.NetworkList(c.Context(), client.NetworkListOptions{})
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		for _, n := range r.Items {
			out = append(out, n.Name)
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}
