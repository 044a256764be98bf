//go:build unix

package companion

import (
	"syscall"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
)

// replace goes on as the companion: signals, terminal and exit code are its own. It returns only where that failed.
func replace(path string, argv, env []string, _ *session.Session) error {
	return errdefs.System("starting %s: %w", path, syscall.Exec(path, argv, env))
}
