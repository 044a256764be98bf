package endpoint

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
)

// engineProgram is the name of the engine's executable.
const engineProgram = "berth-engine"

// engineDirs are where an installed engine may lie when it is not beside the command. PATH is not searched: root
// starts this program.
func engineDirs() []string {
	return []string{"/usr/local/sbin", "/usr/local/bin", "/usr/libexec/berth", "/usr/sbin", "/usr/bin"}
}

// startEngine starts the engine detached from this session and waits until it answers. Of two commands that start
// one at the same time both succeed: the engine's lock lets one serve, and both wait for its socket.
func startEngine(ctx context.Context, e Endpoint, notice io.Writer) error {
	if os.Geteuid() != 0 {
		return errdefs.Unavailable("the engine is not running, and only root can start it").
			WithHint("Run the command as root (sudo berth ...), or start it once: sudo %s", engineHint())
	}
	program, err := findEngine()
	if err != nil {
		return err
	}
	return launch(ctx, program, e, notice)
}

func engineHint() string {
	if p, err := findEngine(); err == nil {
		return p
	}
	return engineProgram
}

func findEngine() (string, error) {
	p, err := find(engineProgram, engineDirs())
	if err != nil {
		return "", errdefs.Unavailable("the engine is not running, and its program %s was not found", engineProgram).
			WithHint("Install %s beside berth or in one of %s.", engineProgram, strings.Join(engineDirs(), ", "))
	}
	return p, nil
}

// launch runs the program and waits for the socket.
func launch(ctx context.Context, program string, e Endpoint, notice io.Writer) error {
	logFile := e.Layout.EngineLog()
	if err := os.MkdirAll(filepath.Dir(logFile), 0o711); err != nil {
		return errdefs.System("starting the engine: %w", err)
	}
	p := spawn{program: program, log: logFile, mode: 0o640, socket: e.Layout.Socket(), lock: e.Layout.EngineLock()}
	ours, err := p.start(ctx)
	if silent, ok := errors.AsType[*silent](err); ok {
		return errdefs.Unavailable("the engine %w", silent).WithHint("Its log is %s", logFile)
	}
	if err != nil {
		return errdefs.System("starting the engine: %w", err)
	}
	if ours {
		started(notice, e)
	}
	return nil
}
