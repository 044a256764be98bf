//go:build unix

package endpoint

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
)

// startBound is how long a new engine or host agent may take to answer.
const startBound = 20 * time.Second

// agentProgram is the name of the host agent's executable.
const agentProgram = "berth-hostagent"

// agentDirs are where an installed host agent may lie when it is not beside the command.
func agentDirs() []string { return []string{"/usr/local/bin", "/usr/libexec/berth", "/usr/bin"} }

// StartAgent starts the host agent of a machine, detached from this session, where none serves it, and waits until it
// answers. The machine itself is not started. Of two commands that start one at the same time both succeed.
func StartAgent(ctx context.Context, m paths.Machine, notice io.Writer) error {
	if answers(m.AgentSocket()) {
		return nil
	}
	program, err := find(agentProgram, agentDirs())
	if err != nil {
		return errdefs.Unavailable("no host agent serves machine %s, and its program %s was not found", m.Name, agentProgram).
			WithHint("Install %s beside berth.", agentProgram)
	}
	if err := os.MkdirAll(m.Dir, 0o700); err != nil {
		return errdefs.System("machine %s: %w", m.Name, err)
	}
	log, err := os.OpenFile(m.AgentLog(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return errdefs.System("machine %s: %w", m.Name, err)
	}
	defer func() { _ = log.Close() }()
	var from int64
	if info, err := log.Stat(); err == nil {
		from = info.Size()
	}
	cmd := exec.Command(program, "serve", m.Name)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return errdefs.System("machine %s: starting its host agent: %w", m.Name, err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	ctx, cancel := context.WithTimeout(ctx, startBound)
	defer cancel()
	if !waitSocket(ctx, m.AgentSocket(), m.AgentLock(), exited) {
		return errdefs.Unavailable("machine %s: its host agent did not start: %s", m.Name, lastLine(m.AgentLog(), from)).
			WithHint("Its log is %s", m.AgentLog())
	}
	if notice != nil {
		_, _ = fmt.Fprintf(notice, "berth: started the host agent of machine %s\n", m.Name)
	}
	return nil
}

// find looks for a program beside this one and in directories.
func find(name string, dirs []string) (string, error) {
	for _, d := range ProgramDirs(dirs) {
		p := filepath.Join(d, name)
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", os.ErrNotExist
}

// waitSocket polls a socket until it answers (true), time is up, or our process has gone and no other has the lock.
func waitSocket(ctx context.Context, socket, lock string, exited <-chan struct{}) bool {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		if answers(socket) {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-exited:
			if !lockHeld(lock) {
				return answers(socket)
			}
			exited = nil
		case <-time.After(wait):
		}
	}
}

// lockHeld says whether the process that wrote its pid into the lock file is alive. The lock itself is not tried:
// that could make an engine that starts right now believe it is held.
func lockHeld(file string) bool {
	b, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 0 {
		return false
	}
	return syscall.Kill(pid, 0) != syscall.ESRCH
}
