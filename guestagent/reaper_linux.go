package guestagent

import (
	"cmp"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// reaper collects every process that ends, as PID 1 must: the agent's own children, whose end it tells, and orphans.
// os/exec is not used in this program, since both would wait for the same processes.
type reaper struct {
	mu   sync.Mutex // held from fork until the child is known, so that its end is not taken for an orphan's
	ends map[int]chan<- unix.WaitStatus
}

func newReaper() *reaper {
	r := &reaper{ends: map[int]chan<- unix.WaitStatus{}}
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, unix.SIGCHLD)
	go func() { // as long as the machine runs
		for range ch {
			r.collect()
		}
	}()
	return r
}

func (r *reaper) collect() {
	for {
		r.mu.Lock()
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, unix.WNOHANG, nil)
		if pid <= 0 {
			r.mu.Unlock()
			if err == unix.EINTR {
				continue
			}
			return
		}
		end := r.ends[pid]
		delete(r.ends, pid)
		r.mu.Unlock()
		if end != nil {
			end <- ws
		}
	}
}

// program is what to execute.
type program struct {
	argv     []string
	env      []string
	stdin    *os.File // nil: there is nothing to read
	stdout   *os.File
	stderr   *os.File // nil: stdout
	terminal bool     // stdin is a terminal, and the session's own
	cgroup   *os.File // the directory of its cgroup; nil: the agent's
}

// start runs a program in a session of its own. end gives its status once.
func (r *reaper) start(p program) (pid int, end <-chan unix.WaitStatus, err error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, nil, err
	}
	defer null.Close()
	stdin, stderr := cmp.Or(p.stdin, null), cmp.Or(p.stderr, p.stdout)
	sys := &syscall.SysProcAttr{Setsid: true, Setctty: p.terminal} // Ctty is 0, its standard input
	if p.cgroup != nil {
		sys.UseCgroupFD, sys.CgroupFD = true, int(p.cgroup.Fd())
	}
	ch := make(chan unix.WaitStatus, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	pid, err = syscall.ForkExec(p.argv[0], p.argv, &syscall.ProcAttr{
		Dir: "/", Env: p.env, Files: []uintptr{stdin.Fd(), p.stdout.Fd(), stderr.Fd()}, Sys: sys,
	})
	if err != nil {
		return 0, nil, fmt.Errorf("%s: %w", p.argv[0], err)
	}
	r.ends[pid] = ch
	return pid, ch, nil
}

// signal sends a signal to the process group of a process of start's, unless it has ended: its number may be another's then.
func (r *reaper) signal(pid int, sig unix.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, lives := r.ends[pid]; lives {
		_ = unix.Kill(-pid, sig)
	}
}

// describe says how a process ended.
func describe(ws unix.WaitStatus) string {
	if ws.Signaled() {
		return fmt.Sprintf("killed by %s", unix.SignalName(ws.Signal()))
	}
	return fmt.Sprintf("exit code %d", ws.ExitStatus())
}
