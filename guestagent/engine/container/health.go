//go:build linux

package container

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/berthhq/berth/guestagent/engine/runtime"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/moby/moby/api/types/container"
	"golang.org/x/sys/unix"
)

// Docker's times and numbers of health checks.
const (
	probeInterval  = 30 * time.Second
	probeTimeout   = 30 * time.Second
	startInterval  = 5 * time.Second
	probeRetries   = 3
	probesKept     = 5
	probeOutput    = 4096 // bytes of output kept
	exitUnhealthy  = 1
	probeCouldNot  = -1
	shellOfProbes  = "/bin/sh"
	probeTimedOut  = "Health check exceeded timeout (%v)"
	killProbeAfter = 5 * time.Second
)

// probeArgs is what a check executes; nil means that there is none.
func probeArgs(c *container.Config) []string {
	h := c.Healthcheck
	if h == nil || len(h.Test) == 0 || h.Test[0] == "NONE" {
		return nil
	}
	if h.Test[0] == "CMD-SHELL" {
		shell := c.Shell
		if len(shell) == 0 {
			shell = []string{shellOfProbes, "-c"}
		}
		return append(append([]string{}, shell...), h.Test[1:]...)
	}
	return h.Test[1:]
}

// watchHealth begins the checks of a container that has some.
func (s *Service) watchHealth(e *entry) {
	r := e.snapshot()
	args := probeArgs(r.Config)
	if len(args) == 0 {
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	e.mu.Lock()
	if e.probing != nil {
		e.probing()
	}
	e.probing = cancel
	e.mu.Unlock()
	s.change(e, func(r *Record) {
		r.State.Health = &container.Health{Status: container.Starting, Log: []*container.HealthcheckResult{}}
	})
	s.tasks.Go(func() {
		defer cancel()
		s.probeAll(ctx, e, args)
	})
}

// probeAll checks until ctx ends.
func (s *Service) probeAll(ctx context.Context, e *entry, args []string) {
	started := time.Now()
	for {
		r := e.snapshot()
		h := r.Config.Healthcheck
		wait := or(h.Interval, probeInterval)
		if r.State.Health != nil && r.State.Health.Status == container.Starting && time.Since(started) < h.StartPeriod {
			wait = min(wait, or(h.StartInterval, startInterval))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if e.snapshot().State.Status != container.StateRunning {
			continue // paused
		}
		result := s.probe(ctx, e, args, or(h.Timeout, probeTimeout))
		if ctx.Err() != nil {
			return
		}
		s.judge(e, result, time.Since(started) < h.StartPeriod)
	}
}

func or(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// judge takes a result into account and tells when the state of health changes.
func (s *Service) judge(e *entry, result *container.HealthcheckResult, grace bool) {
	var before, after container.HealthStatus
	s.change(e, func(r *Record) {
		h := container.Health{Status: container.Starting}
		if r.State.Health != nil {
			h = *r.State.Health
		}
		before = h.Status
		h.Log = append(append([]*container.HealthcheckResult{}, h.Log...), result)
		if len(h.Log) > probesKept {
			h.Log = h.Log[len(h.Log)-probesKept:]
		}
		retries := r.Config.Healthcheck.Retries
		if retries == 0 {
			retries = probeRetries
		}
		switch {
		case result.ExitCode == 0:
			h.Status, h.FailingStreak = container.Healthy, 0
		case h.Status == container.Starting && grace:
		default:
			if h.FailingStreak++; h.FailingStreak >= retries {
				h.Status = container.Unhealthy
			}
		}
		after = h.Status
		r.State.Health = &h
	})
	if before != after {
		r := e.snapshot()
		s.publish(&r, "health_status: "+string(after))
	}
}

// probe runs one check.
func (s *Service) probe(ctx context.Context, e *entry, args []string, timeout time.Duration) *container.HealthcheckResult {
	out := &container.HealthcheckResult{Start: time.Now(), ExitCode: probeCouldNot}
	code, text, err := s.execAndRead(ctx, e, args, timeout)
	out.End = time.Now()
	switch {
	case err != nil:
		out.Output = err.Error()
	default:
		out.ExitCode, out.Output = code, text
	}
	return out
}

// execAndRead runs a command in a container and gives its exit code and the beginning of its output.
func (s *Service) execAndRead(ctx context.Context, e *entry, args []string, timeout time.Duration) (code int, output string, err error) {
	r := e.snapshot()
	id, err := newID()
	if err != nil {
		return 0, "", err
	}
	x := &execution{id: id, container: e, done: make(chan struct{}), started: true, running: true}
	x.req.Cmd = args
	s.mu.Lock()
	s.execs[id] = x
	s.mu.Unlock()
	ours, theirs, err := socketPair()
	if err != nil {
		s.finishExec(x, probeCouldNot)
		return 0, "", err
	}
	defer ours.Close()
	in := runtime.ExecInput{Args: args, Env: r.Config.Env, User: r.Config.User}
	base := runtime.Input{ID: r.ID, Config: r.Config, Host: r.Host, Hostname: r.Config.Hostname}
	if _, err = s.Runtime.Exec(ctx, r.ID, id, base, in, &proto.Attach{Stdout: true, Stderr: true}, theirs); err != nil {
		s.finishExec(x, probeCouldNot)
		return 0, "", err
	}
	text := make(chan string, 1)
	s.tasks.Go(func() {
		b, _ := io.ReadAll(io.LimitReader(ours, probeOutput))
		io.Copy(io.Discard, ours)
		text <- string(b)
	})
	select {
	case <-x.done:
	case <-time.After(timeout):
		s.killProbe(x, r.ID)
		output = fmt.Sprintf(probeTimedOut, timeout)
		select { // what it has written so far
		case got := <-text:
			if got != "" {
				output += ": " + got
			}
		case <-time.After(killProbeAfter):
		}
		return probeCouldNot, output, nil
	case <-ctx.Done():
		s.killProbe(x, r.ID)
		return 0, "", ctx.Err()
	}
	s.mu.Lock()
	code = *x.code
	s.mu.Unlock()
	return code, <-text, nil
}

func (s *Service) killProbe(x *execution, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), killProbeAfter)
	defer cancel()
	s.Runtime.Signal(ctx, id, x.id, int(syscall.SIGKILL), false)
}

// socketPair is two connected sockets: one to read from, one to give away.
func socketPair() (ours, theirs net.Conn, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	var conns [2]net.Conn
	for i, fd := range pair {
		f := os.NewFile(uintptr(fd), "pair")
		c, cerr := net.FileConn(f)
		f.Close()
		if cerr != nil {
			err = cerr
		}
		conns[i] = c
	}
	if err != nil {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
		return nil, nil, err
	}
	return conns[0], conns[1], nil
}
