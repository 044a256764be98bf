package supervisor

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/berthhq/berth/guestagent/engine/logs/logfile"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/guestagent/engine/supervisor/streams"
)

// start carries out OpStart. Where it fails nothing of the container is left, its waiting clients included.
func (s *Server) start(req *proto.Request, files []*os.File) (*proto.State, error) {
	if req.Start == nil || req.Start.Spec == nil || req.Start.Spec.Process == nil || len(req.Start.Attach) != len(files) {
		closeFiles(files)
		return nil, invalid("start of container %s: the request is not whole", req.ID)
	}
	c, err := s.claim(req.ID)
	if err != nil {
		closeFiles(files)
		return nil, err
	}
	p := c.init
	for i, f := range files {
		if aerr := s.join(p, f, req.Start.Attach[i]); aerr != nil {
			err = errors.Join(err, aerr)
		}
	}
	if err == nil {
		err = c.launch(req.Start)
	}
	if err != nil {
		s.forget(c)
		p.hub.Finish()
		return nil, err
	}
	st := c.state()
	go c.reap(p)
	return &st, nil
}

// claim gives the container to start: the one whose streams wait already, or a new one. An exited one that nobody
// released gives way.
func (s *Server) claim(id string) (*container, error) {
	for {
		c := s.container(id, true)
		c.mu.Lock()
		phase := c.phase
		if phase == waiting {
			c.phase = starting
		}
		c.mu.Unlock()
		switch phase {
		case waiting:
			return c, nil
		case exited:
			<-c.cleaned
			s.forget(c)
		default:
			return nil, conflict("container %s is already running", id)
		}
	}
}

// launch makes the streams, the log and the process.
func (c *container) launch(s *proto.Start) (err error) {
	log, err := openLog(s.Log)
	if err != nil {
		return fmt.Errorf("container %s: %w", c.id, err)
	}
	ours, theirs, err := pipesFor(s.Streams)
	if err != nil {
		log.Close()
		return err
	}
	starter := c.srv.starterFor(s)
	began := time.Now()
	run, proc, console, err := starter.Start(c.id, s, stdio(theirs))
	theirs.Close()
	if err == nil && s.Streams.Terminal {
		ours, err = terminal(console, s.Streams)
	}
	if err != nil {
		ours.Close()
		log.Close()
		if run != nil {
			abandon(run, proc)
		}
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.run, c.log = run, log
	c.init.began(proc, note{Streams: s.Streams, Log: s.Log}, ours, log.kept(), began)
	c.init.st.CgroupPath = run.CgroupPath()
	c.phase = running
	c.save(s)
	c.init.hub.Bind(ours, s.Streams.StdinOnce, log.outlet(logfile.Stdout), log.outlet(logfile.Stderr))
	return nil
}

func pipesFor(s proto.Streams) (streams.Process, streams.Child, error) {
	if s.Terminal {
		return streams.Process{}, streams.Child{}, nil
	}
	return streams.Pipes(s.Stdin)
}

func stdio(c streams.Child) [3]*os.File { return [3]*os.File{c.Stdin, c.Stdout, c.Stderr} }

// terminal takes over a process's terminal and gives it its first size.
func terminal(master *os.File, s proto.Streams) (streams.Process, error) {
	if master == nil {
		return streams.Process{}, errors.New("the process has sent no terminal")
	}
	p, err := streams.Terminal(master)
	if err == nil && s.Height > 0 && s.Width > 0 {
		err = streams.Resize(p, s.Height, s.Width)
	}
	return p, err
}

// abandon ends a container that was started but cannot be served.
func abandon(run Container, proc *os.Process) {
	proc.Kill()
	proc.Wait()
	run.Destroy()
}
