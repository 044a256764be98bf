package container

import (
	"io"
	"os"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newExport(s *session.Session) *cobra.Command {
	var output string
	c := &cobra.Command{Use: "export [OPTIONS] CONTAINER", Short: "Export a container's filesystem as a tar archive", Args: cobra.ExactArgs(1), ValidArgsFunction: complete(s, true)}
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		var to io.Writer = s.Out
		if output == "" {
			if _, ok := s.OutTerminal(); ok {
				return errdefs.Invalid("cowardly refusing to save to a terminal. Use the -o flag or redirect")
			}
		} else {
			f, err := os.Create(output)
			if err != nil {
				return err
			}
			defer f.Close()
			to = f
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.ContainerExport(c.Context(), args[0], client.ContainerExportOptions{})
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = io.Copy(to, r)
		return err
	}
	c.Flags().StringVarP(&output, "output", "o", "", "Write to a file, instead of STDOUT")
	return c
}
