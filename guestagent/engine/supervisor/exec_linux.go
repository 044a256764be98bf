package supervisor

import (
	"os"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/guestagent/engine/supervisor/streams"
)

// exec carries out OpExec: another process in a running container.
func (s *Server) exec(req *proto.Request, files []*os.File) (*proto.State, error) {
	e := req.Exec
	wanted := 0
	if e != nil && e.Attach != nil {
		wanted = 1
	}
	if e == nil || e.Process == nil || req.ExecID == "" || len(files) != wanted {
		closeFiles(files)
		return nil, invalid("exec in container %s: the request is not whole", req.ID)
	}
	c, p, err := s.claimExec(req.ID, req.ExecID)
	if err != nil {
		closeFiles(files)
		return nil, err
	}
	if err := c.launchExec(p, req.ExecID, e, files); err != nil {
		c.mu.Lock()
		delete(c.execs, req.ExecID)
		c.mu.Unlock()
		p.hub.Finish()
		return nil, err
	}
	c.mu.Lock()
	st := p.st
	c.mu.Unlock()
	go c.reapExec(p)
	return &st, nil
}

// claimExec gives the exec'd process to start: the one whose streams wait already, or a new one.
func (s *Server) claimExec(id, execID string) (*container, *process, error) {
	c := s.container(id, false)
	if c == nil {
		return nil, nil, notFound("No such container: %s", id)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != running {
		return nil, nil, conflict("container %s is not running", id)
	}
	if c.paused {
		return nil, nil, conflict("Container %s is paused, unpause the container before exec", id)
	}
	p := c.execs[execID]
	if p == nil {
		p = s.newProcess(id, execID)
		c.execs[execID] = p
	} else if p.st.Status != "" {
		return nil, nil, conflict("exec %s has already run", execID)
	}
	return c, p, nil
}

// launchExec starts the process and then takes over its client, if there is one: where the start fails, the engine's
// duplicate of the connection still stands, to tell the client why.
func (c *container) launchExec(p *process, execID string, e *proto.Exec, client []*os.File) error {
	run, err := c.alive()
	if err != nil {
		closeFiles(client)
		return err
	}
	ours, theirs, err := pipesFor(e.Streams)
	if err != nil {
		closeFiles(client)
		return err
	}
	at := time.Now()
	proc, console, err := run.Exec(execID, e, stdio(theirs))
	theirs.Close()
	if err == nil && e.Streams.Terminal {
		ours, err = terminal(console, e.Streams)
	}
	if err != nil {
		closeFiles(client)
	} else if len(client) == 1 {
		err = c.srv.join(p, client[0], *e.Attach)
	}
	if err != nil {
		ours.Close()
		if proc != nil {
			proc.Kill()
			proc.Wait()
		}
		if c.init.isOver() { // whatever was found missing, this is why
			return conflict("container %s is not running", c.id)
		}
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p.began(proc, note{Streams: e.Streams}, ours, nil, at)
	p.hub.Bind(ours, e.Streams.StdinOnce, streams.Outlet{}, streams.Outlet{})
	return nil
}
