//go:build unix

package endpoint

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// startBound is how long a new engine or host agent may take to answer.
const startBound = 20 * time.Second

// spawn is a program that is started detached from this session and then answers at a socket.
type spawn struct {
	program string
	args    []string
	log     string // where it writes its messages
	mode    os.FileMode
	socket  string
	lock    string // of what it serves, with the pid of who does
}

// start starts the program and waits until the socket answers. ours says that it is this program's: another command's may
// have been faster. A program that does not answer is a *silent.
func (s spawn) start(ctx context.Context) (ours bool, err error) {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, s.mode)
	if err != nil {
		return false, err
	}
	defer func() { _ = log.Close() }()
	var from int64
	if info, err := log.Stat(); err == nil {
		from = info.Size()
	}
	cmd := exec.Command(s.program, s.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return false, err
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	ctx, cancel := context.WithTimeout(ctx, startBound)
	defer cancel()
	if !waitSocket(ctx, s.socket, s.lock, exited) {
		return false, &silent{late: ctx.Err() != nil, said: lastLine(s.log, from)}
	}
	select {
	case <-exited:
		return false, nil
	default:
		return true, nil
	}
}

// silent is a program that does not answer.
type silent struct {
	late bool   // it may still be starting
	said string // the last line of its log
}

func (s *silent) Error() string {
	said := s.said
	if said == "" {
		said = "it wrote nothing to its log"
	}
	if s.late {
		return fmt.Sprintf("did not answer within %s: %s", startBound, said)
	}
	return "did not start: " + said
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
