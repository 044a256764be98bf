package image

import (
	"os"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/client"
	"github.com/moby/moby/client/pkg/jsonmessage"
	"github.com/spf13/cobra"
)

func newLoad(s *session.Session) *cobra.Command {
	var input, platform string
	var quiet bool
	c := &cobra.Command{Use: "load [OPTIONS]", Short: "Load an image from a tar archive or STDIN", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		list, err := parsePlatforms(platform)
		if err != nil {
			return err
		}
		in := s.In
		if input != "" {
			f, err := os.Open(input)
			if err != nil {
				return err
			}
			defer f.Close()
			in = f
		} else if _, ok := s.InTerminal(); ok {
			return errdefs.Invalid("requested load from stdin, but stdin is empty")
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.ImageLoad(c.Context(), in, client.ImageLoadWithQuiet(quiet), client.ImageLoadWithPlatforms(list...))
		if err != nil {
			return err
		}
		defer r.Close()
		return jsonmessage.DisplayStream(r, s.Out)
	}
	f := c.Flags()
	f.StringVarP(&input, "input", "i", "", "Read from tar archive file, instead of STDIN")
	f.BoolVarP(&quiet, "quiet", "q", false, "Suppress the load output")
	f.StringVar(&platform, "platform", "", `Load only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")`)
	return c
}
