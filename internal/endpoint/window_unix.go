//go:build linux || darwin

package endpoint

import (
	"context"
	"errors"
	"os"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
)

// StartWindow starts the server of an engine's window, detached from this session, where none serves it, and waits until
// it answers. flags say which engine it is, as those of berth-hostagent ui. The server is the host agent's program and
// runs as the person, never as the engine.
func StartWindow(ctx context.Context, w paths.Window, flags []string) error {
	if answers(w.Socket()) {
		return nil
	}
	program, err := find(agentProgram, agentDirs())
	if err != nil {
		return errdefs.Unavailable("the window's program %s was not found", agentProgram).WithHint("Install %s beside berth.", agentProgram)
	}
	if err := os.MkdirAll(w.Dir, 0o700); err != nil {
		return errdefs.System("the window: %w", err)
	}
	s := spawn{program: program, args: append([]string{"ui"}, flags...), log: w.Log(), mode: 0o600, socket: w.Socket(), lock: w.Lock()}
	_, err = s.start(ctx)
	if silent, ok := errors.AsType[*silent](err); ok {
		return errdefs.Unavailable("the window's server %w", silent).WithHint("Its log is %s", w.Log())
	}
	if err != nil {
		return errdefs.System("starting the window's server: %w", err)
	}
	return nil
}
