package companion

import (
	"errors"
	"os/exec"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
)

// replace runs the companion and ends with its exit code. Ctrl-C reaches both, as all processes of a console; the
// companion decides when it is done.
func replace(path string, argv, env []string, s *session.Session) error {
	cmd := exec.Command(path, argv[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, s.In, s.Out, s.Err
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return &session.ExitError{Code: exit.ExitCode()}
	}
	if err != nil {
		return errdefs.System("starting %s: %w", path, err)
	}
	return nil
}
