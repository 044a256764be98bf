package stage

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"golang.org/x/sys/unix"
)

// controlFD is where the parent's socket is inherited.
const controlFD = 3

// Main never returns: the process becomes the container's command, or exits. It must be the first thing that the
// program does.
func Main() {
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	unix.CloseOnExec(controlFD)
	c, err := control()
	if err != nil {
		fmt.Fprintln(os.Stderr, Name+":", err)
		os.Exit(1)
	}
	if err := run(c); err != nil {
		c.Send(&Answer{Failure: failure(err)})
	}
	os.Exit(1)
}

func control() (*proto.Conn, error) {
	f := os.NewFile(controlFD, "control")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.New("descriptor 3 is not a unix socket")
	}
	return proto.NewConn(u), nil
}

func run(c *proto.Conn) error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return step("hiding from ptrace", err)
	}
	var p Prepare
	first, err := c.Recv(&p)
	if err != nil {
		return err
	}
	ahead, err := prepare(&p, first)
	if err != nil {
		return err
	}
	if err := c.Send(&Answer{Ready: true}); err != nil {
		return err
	}
	var plan Plan
	files, err := c.Recv(&plan)
	if err != nil {
		return err
	}
	a := &assembly{plan: &plan, spec: plan.Spec, files: files, ahead: ahead, anchor: p.Anchor, control: c}
	enter := a.build
	if p.Join {
		enter = a.visit
	}
	if err := enter(); err != nil {
		return err
	}
	return a.become()
}

// failed is an error of one step.
type failed struct {
	what string
	err  error
	exec bool
}

func (f *failed) Error() string { return f.what + ": " + f.err.Error() }
func (f *failed) Unwrap() error { return f.err }

func step(what string, err error) error {
	if err == nil {
		return nil
	}
	return &failed{what: what, err: err}
}

func failure(err error) *Failure {
	out := &Failure{Message: err.Error()}
	var f *failed
	out.Exec = errors.As(err, &f) && f.exec
	var errno syscall.Errno
	if errors.As(err, &errno) {
		out.Errno = int(errno)
	}
	return out
}
