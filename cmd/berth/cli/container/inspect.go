package container

import (
	"context"
	"slices"
	"strings"

	"github.com/berthhq/berth/cmd/berth/cli/image"
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	cerrdefs "github.com/containerd/errdefs"
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
