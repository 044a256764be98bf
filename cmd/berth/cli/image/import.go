package image

import (
	"io"
	"os"
	"strings"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/platforms"
	"github.com/moby/moby/client"
	"github.com/moby/moby/client/pkg/jsonmessage"
	"github.com/spf13/cobra"
)

func newImport(s *session.Session) *cobra.Command {
	var o client.ImageImportOptions
	var platform string
	c := &cobra.Command{Use: "import [OPTIONS] FILE|- [REPOSITORY[:TAG]]", Short: "Import the contents from a tarball to create a filesystem image", Args: cobra.RangeArgs(1, 2)}
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
		in, err := openArchive(s, args[0])
		if err != nil {
			return err
		}
		defer in.Close()
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.ImageImport(c.Context(), client.ImageImportSource{Source: in, SourceName: "-"}, ref, o)
		if err != nil {
			return err
		}
		defer r.Close()
		return jsonmessage.DisplayStream(r, s.Out)
	}
	f := c.Flags()
	f.StringVarP(&o.Message, "message", "m", "", "Set commit message for imported image")
	f.StringVar(&platform, "platform", "", "Set platform if server is multi-platform capable")
	return c
}

// openArchive opens a file, or standard input for "-".
func openArchive(s *session.Session, name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(s.In), nil
	}
	if strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://") {
		return nil, errdefs.NotImplemented("importing from %s is not supported yet", name).WithHint("Fetch it and import the file: curl -L %s | berth import -", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, errdefs.Invalid("%w", err)
	}
	return f, nil
}
