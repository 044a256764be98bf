package network

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/docker/cli/opts"
	mobynet "github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newCreate(s *session.Session) *cobra.Command {
	var o client.NetworkCreateOptions
	var ipv4, ipv6 bool
	var subnets, gateways, ranges []string
	var ipamDriver string
	labels, driverOpts := opts.NewListOpts(nil), opts.NewMapOpts(nil, nil)
	aux, ipamOpts := opts.NewMapOpts(nil, nil), opts.NewMapOpts(nil, nil)
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
		if f.Changed("ipam-driver") || f.Changed("ipam-opt") {
			if o.IPAM == nil {
				o.IPAM = &mobynet.IPAM{}
			}
			o.IPAM.Driver, o.IPAM.Options = ipamDriver, ipamOpts.GetAll()
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
	f.BoolVar(&o.Ingress, "ingress", false, "Create swarm routing-mesh network")
	f.StringVar(&o.ConfigFrom, "config-from", "", "The network from which to copy the configuration")
	f.BoolVar(&o.ConfigOnly, "config-only", false, "Create a configuration only network")
	f.StringVar(&o.Scope, "scope", "", "Control the network's scope")
	f.StringVar(&ipamDriver, "ipam-driver", "default", "IP Address Management Driver")
	f.Var(ipamOpts, "ipam-opt", "Set IPAM driver specific options")
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
