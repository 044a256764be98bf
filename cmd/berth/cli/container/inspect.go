package container

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/berthhq/berth/cmd/berth/cli/image"
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	cerrdefs "github.com/containerd/errdefs"
	mobynet "github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newInspect(s *session.Session, name string) *cobra.Command {
	var format, kind string
	var size bool
	c := &cobra.Command{Use: name + " [OPTIONS] NAME|ID [NAME|ID...]", Short: "Return low-level information on objects", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s, true)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		return s.Inspect(args, format, func(n string) (session.Object, error) { return inspectAny(c.Context(), cl, n, kind, size) })
	}
	f := c.Flags()
	f.StringVarP(&format, "format", "f", "", "Format output using a custom template, or json")
	f.BoolVarP(&size, "size", "s", false, "Display total file sizes if the type is container")
	f.StringVar(&kind, "type", "", "Only inspect objects of the given type (container, image, network, volume)")
	return c
}

// inspectAny looks for an object of any kind, in docker's order.
func inspectAny(ctx context.Context, cl *client.Client, name, kind string, size bool) (session.Object, error) {
	kinds := []string{"container", "image", "network", "volume"}
	if kind != "" {
		if !slices.Contains(kinds, kind) {
			return session.Object{}, errdefs.Invalid("unknown type: %q: must be one of \"%s\"", kind, strings.Join(kinds, "\", \""))
		}
		kinds = []string{kind}
	}
	for _, k := range kinds {
		raw, err := inspectOne(ctx, cl, k, name, size)
		if err == nil || !cerrdefs.IsNotFound(err) || kind != "" {
			return raw, err
		}
	}
	return session.Object{}, errdefs.NotFound("Error: No such object: %s", name)
}

func inspectOne(ctx context.Context, cl *client.Client, kind, name string, size bool) (session.Object, error) {
	switch kind {
	case "container":
		r, err := cl.ContainerInspect(ctx, name, client.ContainerInspectOptions{Size: size})
		return session.Object{Raw: r.Raw, Typed: r.Container}, err
	case "image":
		return image.Inspect(ctx, cl, name)
	case "network":
		r, err := cl.NetworkInspect(ctx, name, client.NetworkInspectOptions{})
		return session.Object{Raw: r.Raw, Typed: r.Network}, err
	}
	r, err := cl.VolumeInspect(ctx, name, client.VolumeInspectOptions{})
	return session.Object{Raw: r.Raw, Typed: r.Volume}, err
}

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
				return errdefs.NotFound("no public port '%s' published for %s", args[1], args[0])
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
