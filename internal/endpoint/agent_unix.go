//go:build unix

package endpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
)

// agentProgram is the name of the host agent's executable.
const agentProgram = "berth-hostagent"

// agentDirs are where an installed host agent may lie when it is not beside the command.
func agentDirs() []string { return []string{"/usr/local/bin", "/usr/libexec/berth", "/usr/bin"} }

// FindAgent is the host agent's program.
func FindAgent() (string, error) {
	program, err := find(agentProgram, agentDirs())
	if err != nil {
		return "", errdefs.Unavailable("the host agent's program %s was not found", agentProgram).WithHint("Install %s beside berth.", agentProgram)
	}
	return program, nil
}

// StartAgent starts the host agent of a machine, detached from this session, where none serves it, and waits until it
// answers. The machine itself is not started. Of two commands that start one at the same time both succeed.
func StartAgent(ctx context.Context, m paths.Machine, notice io.Writer) error {
	if answers(m.AgentSocket()) {
		return nil
	}
	program, err := FindAgent()
	if err != nil {
		return errdefs.Unavailable("no host agent serves machine %s: %w", m.Name, err).WithHint("%s", errdefs.HintOf(err))
	}
	if err := os.MkdirAll(m.Dir, 0o700); err != nil {
		return errdefs.System("machine %s: %w", m.Name, err)
	}
	s := spawn{program: program, args: []string{"serve", m.Name}, log: m.AgentLog(), mode: 0o600, socket: m.AgentSocket(), lock: m.AgentLock()}
	_, err = s.start(ctx)
	if silent, ok := errors.AsType[*silent](err); ok {
		return errdefs.Unavailable("machine %s: its host agent %w", m.Name, silent).WithHint("Its log is %s", m.AgentLog())
	}
	if err != nil {
		return errdefs.System("machine %s: starting its host agent: %w", m.Name, err)
	}
	if notice != nil {
		_, _ = fmt.Fprintf(notice, "berth: started the host agent of machine %s\n", m.Name)
	}
	return nil
}
