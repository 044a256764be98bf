package image

import (
	"io"
	"os"
	"strings"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/platforms"
	"github.com/docker/cli/opts"
	"github.com/moby/moby/client"
	"github.com/moby/moby/client/pkg/jsonmessage"
	"github.com/spf13/cobra"
)

func newImport(s *session.Session) *cobra.Command {
	var o client.ImageImportOptions
	var platform string
	changes := opts.NewListOpts(nil)
	c := &cobra.Command{Use: "import [OPTIONS] file|URL|- [REPOSITORY[:TAG]]", Short: "Import the contents from a tarball to create a filesystem image", Args: cobra.RangeArgs(1, 2)}
	c.RunE = func(c *cobra.Command, args []string) error {
		ref := ""
		if len(args) == 2 {
			ref = args[1]
		}
		if platform != "" {
			p, err := platforms.Parse(platform)
			if err != nil {
				return errdefs.Invalid("invalid platform %q: %w", platform, err)
			}
			o.Platform = p
		}
		o.Changes = changes.GetSlice()
		src := client.ImageImportSource{SourceName: args[0]}
		if !isURL(args[0]) {
			in, err := openArchive(s, args[0])
			if err != nil {
				return err
			}
			defer in.Close()
			src = client.ImageImportSource{Source: in, SourceName: "-"}
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.ImageImport(c.Context(), src, ref, o)
		if err != nil {
			return err
		}
		defer r.Close()
		return jsonmessage.DisplayStream(r, s.Out)
	}
	f := c.Flags()
	f.VarP(&changes, "change", "c", "Apply Dockerfile instruction to the created image")
	f.StringVarP(&o.Message, "message", "m", "", "Set commit message for imported image")
	f.StringVar(&platform, "platform", "", "Set platform if server is multi-platform capable")
	return c
}

// isURL tells what the engine is to fetch from what is read here.
func isURL(name string) bool {
	return strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://")
}

// openArchive opens a file, or standard input for "-".
func openArchive(s *session.Session, name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(s.In), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, errdefs.Invalid("%w", err)
	}
	return f, nil
}
