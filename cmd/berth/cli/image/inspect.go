package image

import (
	"bytes"
	"context"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/moby/moby/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"
)

func newInspect(s *session.Session) *cobra.Command {
	var format, platform string
	c := &cobra.Command{Use: "inspect [OPTIONS] IMAGE [IMAGE...]", Short: "Display detailed information on one or more images", Args: cobra.MinimumNArgs(1), ValidArgsFunction: Complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		list, err := parsePlatforms(platform)
		if err != nil {
			return err
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		return s.Inspect(args, format, func(n string) (session.Object, error) { return inspect(c.Context(), cl, n, list...) })
	}
	c.Flags().StringVarP(&format, "format", "f", "", "Format output using a custom template, or json")
	c.Flags().StringVar(&platform, "platform", "", "Inspect a specific platform of the multi-platform image.\n"+
		"If the image or the server is not multi-platform capable, the command will error out if the platform does not match.\n"+
		"'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)")
	return c
}

// Inspect asks for an image.
func Inspect(ctx context.Context, cl *client.Client, name string) (session.Object, error) {
	return inspect(ctx, cl, name)
}

func inspect(ctx context.Context, cl *client.Client, name string, platform ...ocispec.Platform) (session.Object, error) {
	var raw bytes.Buffer
	o := []client.ImageInspectOption{client.ImageInspectWithRawResponse(&raw)}
	for _, p := range platform {
		o = append(o, client.ImageInspectWithPlatform(&p))
	}
	r, err := cl.ImageInspect(ctx, name, o...)
	return session.Object{Raw: raw.Bytes(), Typed: r.InspectResponse}, err
}
