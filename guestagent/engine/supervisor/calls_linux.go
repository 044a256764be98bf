package supervisor

import (
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"golang.org/x/sys/unix"
)

// settle bounds how long OpLogs waits for output under way.
const settle = time.Second

// handle answers one call. The files are its own.
func (s *Server) handle(req *proto.Request, files []*os.File) *proto.Response {
	resp := &proto.Response{}
	var err error
	switch req.Op {
	case proto.OpStart:
		resp.State, err = s.start(req, files)
	case proto.OpExec:
		resp.State, err = s.exec(req, files)
	case proto.OpAttach:
		err = s.attach(req, files)
	case proto.OpHello:
		closeFiles(files)
		resp.Version, resp.Pid, resp.Containers = proto.Version, os.Getpid(), s.states()
	case proto.OpDup:
		closeFiles(files)
		resp.Containers = s.states()
	default:
		closeFiles(files)
		err = s.onContainer(req, resp)
	}
	if err != nil {
		resp.Error = wireError(err)
	}
	return resp
}

// attach gives a client to streams that exist, or that wait from now on for a start.
func (s *Server) attach(req *proto.Request, files []*os.File) error {
	if req.Attach == nil || len(files) != 1 {
		closeFiles(files)
		return invalid("attach to %s: the request is not whole", req.ID)
	}
	c := s.container(req.ID, req.ExecID == "")
	if c == nil {
		closeFiles(files)
		return notFound("No such container: %s", req.ID)
	}
	p := c.init
	if req.ExecID != "" {
		c.mu.Lock()
		if p = c.execs[req.ExecID]; p == nil {
			p = s.newProcess(req.ID, req.ExecID)
			c.execs[req.ExecID] = p
		}
		c.mu.Unlock()
	}
	return s.join(p, files[0], *req.Attach)
}

// onContainer answers the calls that need nothing but a container that is known.
func (s *Server) onContainer(req *proto.Request, resp *proto.Response) (err error) {
	c := s.container(req.ID, false)
	if c == nil {
		return notFound("No such container: %s", req.ID)
	}
	p, err := c.process(req.ExecID)
	if err != nil {
		return err
	}
	switch req.Op {
	case proto.OpSignal:
		return c.signal(p, syscall.Signal(req.Signal), req.All)
	case proto.OpResize:
		return p.hub.Resize(req.Height, req.Width)
	case proto.OpClose:
		p.hub.CloseStdin()
		return nil
	case proto.OpLogs:
		p.hub.Settle(settle)
		return nil
	case proto.OpState:
		c.mu.Lock()
		st := p.st
		c.mu.Unlock()
		resp.State = &st
		return nil
	case proto.OpRelease:
		return s.release(c, p, req.ExecID)
	}
	run, err := c.alive()
	if err != nil {
		return err
	}
	switch req.Op {
	case proto.OpPause, proto.OpResume:
		return c.freeze(run, req.Op == proto.OpPause)
	case proto.OpUpdate:
		if req.Resources == nil {
			return invalid("update of container %s: no resources", req.ID)
		}
		return run.Update(req.Resources)
	case proto.OpPids:
		resp.Pids, err = run.Pids()
	case proto.OpStats:
		resp.Stats, err = run.Stats()
	default:
		err = &proto.Error{Code: proto.CodeUnsupported, Message: "berth-supervisor does not know the call " + string(req.Op)}
	}
	return err
}

func (c *container) signal(p *process, sig syscall.Signal, all bool) error {
	c.mu.Lock()
	status, proc, run, paused := p.st.Status, p.proc, c.run, c.paused
	c.mu.Unlock()
	if status != proto.StatusRunning {
		return conflict("container %s is not running", c.id)
	}
	var err error
	if all {
		err = run.SignalAll(sig)
	} else {
		err = proc.Signal(sig)
	}
	if errors.Is(err, os.ErrProcessDone) || errors.Is(err, unix.ESRCH) {
		return conflict("container %s is not running", c.id)
	}
	if err == nil && paused && sig == unix.SIGKILL {
		return c.freeze(run, false) // a frozen process does not even die
	}
	return err
}

func (c *container) freeze(run Container, freeze bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.paused && freeze:
		return conflict("Container %s is already paused", c.id)
	case !c.paused && !freeze:
		return conflict("Container %s is not paused", c.id)
	}
	do := run.Resume
	if freeze {
		do = run.Pause
	}
	if err := do(); err != nil {
		return err
	}
	c.paused = freeze
	c.savePaused()
	return nil
}

// release forgets what has exited or never began.
func (s *Server) release(c *container, p *process, execID string) error {
	c.mu.Lock()
	status, phase := p.st.Status, c.phase
	busy := status == proto.StatusRunning || execID == "" && phase == starting
	if !busy && execID != "" {
		delete(c.execs, execID)
		s.keeper.Drop(processKey(c.id, execID))
	}
	if !busy && execID == "" && phase == waiting {
		c.phase = exited // nobody starts what is forgotten
		close(c.cleaned)
	}
	c.mu.Unlock()
	if busy {
		return conflict("container %s is running", c.id)
	}
	if execID == "" {
		<-c.cleaned
		s.forget(c)
		c.unsave()
	}
	p.hub.Finish()
	return nil
}
