package contexts

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/spf13/cobra"
)

func newExport(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "export [OPTIONS] CONTEXT [FILE|-]", Short: "Export a context to a tar archive FILE or a tar stream on STDOUT", Args: cobra.RangeArgs(1, 2), ValidArgsFunction: complete(s)}
	c.RunE = func(_ *cobra.Command, args []string) error {
		file := args[0] + ".dockercontext"
		if len(args) == 2 {
			file = args[1]
		}
		if _, terminal := s.OutTerminal(); file == "-" && terminal {
			return errdefs.Invalid("cowardly refusing to export to a terminal, specify a file path")
		}
		var b bytes.Buffer
		if err := store(s).Export(args[0], &b); err != nil {
			return err
		}
		if file == "-" {
			_, err := b.WriteTo(s.Out)
			return err
		}
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return errdefs.System("exporting context %q: %w", args[0], err)
		}
		_, err = b.WriteTo(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return errdefs.System("exporting context %q: %w", args[0], err)
		}
		fmt.Fprintf(s.Err, "Written file %q\n", file)
		return nil
	}
	return c
}
