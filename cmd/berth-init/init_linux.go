package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exit codes of a command that could not be started, as a shell has them.
const (
	exitUsage    = 1
	exitNotFound = 127
	exitCannot   = 126
)

// run starts the command of args ("--" before it may be left out), and gives its exit code when it has ended.
func run(args []string, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(stderr, "usage: berth-init -- command [arguments]")
		return exitUsage
	}
	signals := make(chan os.Signal, 64)
	signal.Notify(signals)
	// Orphans come here even where another process is the first of the pid namespace.
	unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	pid, err := start(args)
	if err != nil {
		fmt.Fprintln(stderr, "berth-init:", err)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, exec.ErrNotFound) {
			return exitNotFound
		}
		return exitCannot
	}
	go forward(signals, pid)
	return reap(pid)
}

// start runs the command in a process group of its own, which the terminal, if there is one, has in its foreground.
func start(args []string) (int, error) {
	path, err := exec.LookPath(args[0])
	if err != nil {
		return 0, err
	}
	attr := &syscall.SysProcAttr{Setpgid: true}
	if _, err := unix.IoctlGetTermios(0, unix.TCGETS); err == nil {
		attr.Foreground, attr.Ctty = true, 0
	}
	pid, err := syscall.ForkExec(path, args, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}, Sys: attr})
	if err != nil {
		return 0, fmt.Errorf("exec %s: %w", path, err)
	}
	return pid, nil
}

// forward passes on what is meant for the command. SIGURG is left out: Go's runtime sends it to itself.
func forward(signals <-chan os.Signal, pid int) {
	for s := range signals {
		sig, ok := s.(syscall.Signal)
		if !ok || sig == syscall.SIGCHLD || sig == syscall.SIGURG {
			continue
		}
		syscall.Kill(pid, sig)
	}
}

// reap waits for every child until the command itself has ended.
func reap(command int) int {
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return exitCannot // the command is no child any more, which cannot be
		case pid == command && ws.Exited():
			return ws.ExitStatus()
		case pid == command && ws.Signaled():
			return 128 + int(ws.Signal())
		}
	}
}
