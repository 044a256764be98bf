//go:build linux

package runtime

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
	"golang.org/x/sys/unix"
)

// launchTimeout bounds how long a supervisor may take to listen.
const launchTimeout = 15 * time.Second

// launcher starts berth-supervisor when none listens: in a session of its own, so that it outlives the engine and the
// login. Engines of one state directory exclude each other, so only calls of this process race here.
type launcher struct {
	layout paths.Layout
	binary string
	turn   chan struct{} // holds one token: one start at a time
}

func newLauncher(layout paths.Layout, binDir string) *launcher {
	l := &launcher{layout: layout, binary: filepath.Join(binDir, "berth-supervisor"), turn: make(chan struct{}, 1)}
	l.turn <- struct{}{}
	return l
}

func (l *launcher) start(ctx context.Context) error {
	select {
	case <-l.turn:
		defer func() { l.turn <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if l.listening() {
		return nil
	}
	gone, err := l.spawn()
	if err != nil {
		return err
	}
	deadline := time.After(launchTimeout)
	for tick := time.NewTicker(2 * time.Millisecond); ; {
		select {
		case <-tick.C:
			if l.listening() {
				tick.Stop()
				return nil
			}
		case err := <-gone:
			return errdefs.System("berth-supervisor stopped while starting (%v); its messages are in %s", err, l.logPath())
		case <-deadline:
			return errdefs.System("berth-supervisor does not listen after %s; its messages are in %s", launchTimeout, l.logPath())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *launcher) listening() bool {
	c, err := proto.Dial(l.layout.SupervisorSocket())
	if err == nil {
		c.Close()
	}
	return err == nil || !absent(err)
}

func (l *launcher) logPath() string { return l.layout.SupervisorLog() }

// spawn starts the program and reaps it when it ends; gone then tells how.
func (l *launcher) spawn() (gone <-chan error, err error) {
	log, err := os.OpenFile(l.logPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, errdefs.System("starting berth-supervisor: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(l.binary)
	cmd.Args = append(cmd.Args, "--root", l.root())
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.Env = supervisorEnv(l.root())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return nil, errdefs.System("%s is missing", l.binary).WithHint("install berth-supervisor beside berth-engine")
		}
		return nil, errdefs.System("starting %s: %w", l.binary, err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }() // ends with the supervisor; the program goes on without it
	return done, nil
}

// root is the state directory as an argument: empty is the machine-wide one.
func (l *launcher) root() string {
	if l.layout.Base() == paths.DefaultRoot && l.layout.Run == paths.DefaultRun {
		return ""
	}
	return l.layout.Base()
}

// supervisorEnv is all that the supervisor inherits: nothing of a caller's own environment.
func supervisorEnv(root string) []string {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	if root != "" {
		env = append(env, paths.EnvRoot+"="+root)
	}
	return env
}
