package image

import (
	"io"
	"os"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newSave(s *session.Session) *cobra.Command {
	var output, platform string
	c := &cobra.Command{Use: "save [OPTIONS] IMAGE [IMAGE...]", Short: "Save one or more images to a tar archive (streamed to STDOUT by default)", Args: cobra.MinimumNArgs(1), ValidArgsFunction: Complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		list, err := parsePlatforms(platform)
		if err != nil {
			return err
		}
		to := s.Out
		if output == "" {
			if _, ok := s.OutTerminal(); ok {
				return errdefs.Invalid("cowardly refusing to save to a terminal. Use the -o flag or redirect")
			}
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.ImageSave(c.Context(), args, client.ImageSaveWithPlatforms(list...))
		if err != nil {
			return err
		}
		defer r.Close()
		if output != "" {
			f, err := os.Create(output)
			if err != nil {
				return err
			}
			defer f.Close()
			to = f
		}
		_, err = io.Copy(to, r)
		return err
	}
	f := c.Flags()
	f.StringVarP(&output, "output", "o", "", "Write to a file, instead of STDOUT")
	f.StringVar(&platform, "platform", "", `Save only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")`)
	return c
}
