package image

import (
	"bytes"
	"context"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newInspect(s *session.Session) *cobra.Command {
	var format string
	c := &cobra.Command{Use: "inspect [OPTIONS] IMAGE [IMAGE...]", Short: "Display detailed information on one or more images", Args: cobra.MinimumNArgs(1), ValidArgsFunction: Complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		return s.Inspect(args, format, func(n string) (session.Object, error) { return Inspect(c.Context(), cl, n) })
	}
	c.Flags().StringVarP(&format, "format", "f", "", "Format output using a custom template, or json")
	return c
}

// Inspect asks for an image.
func Inspect(ctx context.Context, cl *client.Client, name string) (session.Object, error) {
	var raw bytes.Buffer
	r, err := cl.ImageInspect(ctx, name, client.ImageInspectWithRawResponse(&raw))
	return session.Object{Raw: raw.Bytes(), Typed: r.InspectResponse}, err
}
