package park

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/guestagent/engine/supervisor/stage"
	"golang.org/x/sys/unix"
)

// patience bounds how long a process may take for each answer.
const patience = 60 * time.Second

// Cgroup is what a parked process is put into.
type Cgroup interface {
	Place() (Place, error) // creates it
	Destroy() error
}

// Place says how a process gets into a cgroup.
type Place struct {
	Unified *os.File // directory of cgroup v2 to be born in, the caller's to close; nil for none
	Tasks   []string // of cgroup v1, see stage.Prepare
}

// Close closes the cgroup's directory, where nobody is born in it.
func (p *Place) Close() {
	if p.Unified != nil {
		p.Unified.Close()
	}
}

// Slot is a process that waits to become a container's.
type Slot struct {
	Process *os.Process
	Cgroup  Cgroup // nil for one that joins

	conn *proto.Conn
}

// Become tells the process what to become and returns when it has executed its command, with the terminal's master
// where the plan has one. When it fails the process has ended, or is killed; Discard reaps it. Errors: *stage.Failure
// where the process said why.
func (s *Slot) Become(plan *stage.Plan, files []*os.File) (console *os.File, err error) {
	defer s.conn.Close()
	fds := make([]int, len(files))
	for i, f := range files {
		fds[i] = int(f.Fd())
	}
	s.conn.Unix().SetDeadline(time.Now().Add(patience))
	if err := s.conn.Send(plan, fds...); err != nil {
		return nil, fmt.Errorf("telling the container's process what to become: %w", err)
	}
	for {
		var a stage.Answer
		got, err := s.conn.Recv(&a)
		switch {
		case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			return console, nil // closed by execve
		case err == nil && a.Console && len(got) == 1 && console == nil:
			console = got[0]
			continue
		}
		for _, f := range append(got, console) {
			if f != nil {
				f.Close()
			}
		}
		if err == nil && a.Failure != nil {
			return nil, a.Failure
		}
		if err == nil {
			err = errors.New("it sent what was not expected")
		}
		return nil, fmt.Errorf("starting the container's process: %w", err)
	}
}

// Discard ends a process that did not become anything, and removes its cgroup.
func (s *Slot) Discard() {
	s.conn.Close()
	s.Process.Kill()
	s.Process.Wait()
	if s.Cgroup != nil {
		s.Cgroup.Destroy()
	}
}

// spawn starts the sealed program as a stage. init, if any, is the pidfd of the process whose pid namespace the new
// one is to be in.
func spawn(program *os.File, flags uintptr, at *Place, init *os.File) (*Slot, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "stage"), os.NewFile(uintptr(pair[1]), "stage")
	defer ours.Close()
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		conn.Close()
		return nil, err
	}
	defer null.Close()
	attr := &os.ProcAttr{
		Dir:   "/",
		Env:   []string{"GOMAXPROCS=1"},
		Files: []*os.File{null, null, null, theirs},
		Sys:   &syscall.SysProcAttr{Cloneflags: flags},
	}
	if at.Unified != nil {
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, int(at.Unified.Fd())
	}
	p, err := startIn(init, fmt.Sprintf("/proc/self/fd/%d", program.Fd()), attr)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("starting %s: %w", stage.Name, err)
	}
	return &Slot{Process: p, conn: proto.NewConn(conn.(*net.UnixConn))}, nil
}

// startIn forks in the pid namespace of init's. Only a thread's children enter it (setns(2)), and the thread cannot
// come back, so it is one that is thrown away.
func startIn(init *os.File, name string, attr *os.ProcAttr) (p *os.Process, err error) {
	if init == nil {
		return os.StartProcess(name, []string{stage.Name}, attr)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err = unix.Setns(int(init.Fd()), unix.CLONE_NEWPID); err == nil {
			p, err = os.StartProcess(name, []string{stage.Name}, attr)
		}
	}()
	<-done
	return p, err
}

// ready sends the first message and waits for the answer.
func (s *Slot) ready(p *stage.Prepare, with ...int) error {
	s.conn.Unix().SetDeadline(time.Now().Add(patience))
	if err := s.conn.Send(p, with...); err != nil {
		return err
	}
	var a stage.Answer
	if _, err := s.conn.Recv(&a); err != nil {
		return fmt.Errorf("%s ended before it was ready: %w", stage.Name, err)
	}
	if a.Failure != nil {
		return a.Failure
	}
	return nil
}

// Visit makes a process that joins the container of init, a pidfd, and its cgroup.
func Visit(program, init *os.File, at Place) (*Slot, error) {
	defer at.Close()
	s, err := spawn(program, 0, &at, init)
	if err != nil {
		return nil, err
	}
	if err := s.ready(&stage.Prepare{Join: true, Tasks: at.Tasks}, int(init.Fd())); err != nil {
		s.Discard()
		return nil, err
	}
	return s, nil
}
