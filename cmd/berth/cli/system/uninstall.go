package system

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/endpoint"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/spf13/cobra"
)

func newUninstall(s *session.Session) *cobra.Command {
	if runtime.GOOS == "darwin" {
		return newLaunchdUninstall(s)
	}
	c := &cobra.Command{Use: "uninstall", Short: "Take the engine's unit from systemd; containers and data stay", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		if os.Geteuid() != 0 {
			return errdefs.Forbidden("removing the engine's service needs root").WithHint("sudo berth system uninstall")
		}
		ep, err := s.Endpoint()
		if err != nil {
			return err
		}
		if err := machine().uninstall(c.Context()); err != nil {
			return err
		}
		if err := dropContext(ep, endpoint.Contexts{Dir: s.ConfigDir()}); err != nil {
			return err
		}
		dropInvokers(c.Context(), ep)
		fmt.Fprintf(s.Out, "%s is gone; containers go on until the next berth command starts an engine for them\n", unitName)
		return nil
	}
	return c
}

func (h host) uninstall(ctx context.Context) error {
	if err := h.hasSystemd(); err != nil {
		return err
	}
	if _, err := os.Stat(h.unitPath()); errors.Is(err, fs.ErrNotExist) {
		return errdefs.NotFound("%s is not installed", unitName)
	}
	if err := h.systemctl(ctx, "disable", "--now", unitName); err != nil {
		return err
	}
	if err := os.Remove(h.unitPath()); err != nil {
		return errdefs.System("removing %s: %w", h.unitPath(), err)
	}
	return h.systemctl(ctx, "daemon-reload")
}

// dropContext removes the context that install made. One that was changed since is somebody's own and stays.
func dropContext(ep endpoint.Endpoint, store endpoint.Contexts) error {
	if c, err := store.Get(contextName); err != nil || c != contextOf(ep) {
		return nil // there is none of ours
	}
	return store.Remove(contextName)
}
