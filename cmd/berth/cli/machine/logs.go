package machine

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/spf13/cobra"
)

func newLogs(s *session.Session) *cobra.Command {
	var host bool
	c := &cobra.Command{
		Use: "logs [OPTIONS] [MACHINE]", Short: "Show what a virtual machine has written to its console", Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: complete(s),
	}
	c.RunE = func(_ *cobra.Command, args []string) error {
		m, err := named(s, args)
		if err != nil {
			return err
		}
		files := []string{m.OldConsole(), m.Console()}
		if host {
			files = []string{m.KeeperLog(), m.AgentLog()}
		}
		shown := false
		for _, name := range files {
			f, err := os.Open(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return errdefs.System("machine %s: %w", m.Name, err)
			}
			_, err = io.Copy(s.Out, f)
			if err = errors.Join(err, f.Close()); err != nil {
				return errdefs.System("machine %s: %w", m.Name, err)
			}
			shown = true
		}
		if !shown {
			return errdefs.NotFound("machine %s has written nothing", m.Name).WithHint("berth machine list shows the machines there are.")
		}
		return nil
	}
	c.Flags().BoolVar(&host, "host", false, "What berth's own programs on the host wrote instead")
	return c
}
