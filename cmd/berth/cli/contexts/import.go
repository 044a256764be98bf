package contexts

import (
	"fmt"
	"io"
	"os"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/spf13/cobra"
)

func newImport(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "import CONTEXT FILE|-", Short: "Import a context from a tar file", Args: cobra.ExactArgs(2)}
	c.RunE = func(_ *cobra.Command, args []string) error {
		in := io.Reader(s.In)
		if args[1] != "-" {
			f, err := os.Open(args[1])
			if err != nil {
				return errdefs.Invalid("importing context %q: %w", args[0], err)
			}
			defer f.Close()
			in = f
		}
		if err := store(s).Import(args[0], in); err != nil {
			return err
		}
		fmt.Fprintln(s.Out, args[0])
		fmt.Fprintf(s.Err, "Successfully imported context %q\n", args[0])
		return nil
	}
	return c
}
