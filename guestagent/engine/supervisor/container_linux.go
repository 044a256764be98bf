package supervisor

import (
	"os"
	"sync"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/guestagent/engine/supervisor/streams"
)

// phase is where a process is in its life:
//
//	waiting -> starting -> running -> exited
//
// A waiting one has clients and no process yet. A paused container is a running one whose flag is set.
type phase int

const (
	waiting phase = iota
	starting
	running
	exited
)

// container is one container and the processes exec'd in it. mu is taken after Server.mu and before a hub's lock.
type container struct {
	id      string
	srv     *Server
	init    *process
	cleaned chan struct{} // closed when nothing of the exited container is left on the machine

	mu     sync.Mutex
	phase  phase
	paused bool
	rec    record
	run    Container
	log    *containerLog
	execs  map[string]*process
}

// process is one process with its streams. Its fields are guarded by the container's mu; those above proc have their own.
type process struct {
	id, execID string
	srv        *Server
	hub        *streams.Hub
	done       chan struct{} // closed when the exit was announced

	held holding

	proc *os.Process
	wait func() (code int, bury func()) // called once; bury when the end is written down
	st   proto.State
}

func (s *Server) newProcess(id, execID string) *process {
	p := &process{id: id, execID: execID, srv: s, done: make(chan struct{}), st: proto.State{ID: id, ExecID: execID}}
	p.hub = streams.NewHub(streams.Callbacks{
		Detached: func() {
			s.events.publish(proto.Event{Type: proto.EventDetach, State: &proto.State{ID: id, ExecID: execID}})
		},
		StdinClosed: func() { p.holdEnds(p.hub.Ends(), false) },
	})
	return p
}

// began notes a started child, whose streams the keeper then holds.
func (p *process) began(proc *os.Process, n note, ends streams.Process, journal *os.File, at time.Time) {
	p.proc = proc
	p.wait = func() (int, func()) { return waitChild(proc) }
	p.st.Pid, p.st.Status, p.st.StartedAt, p.st.Terminal = proc.Pid, proto.StatusRunning, at, n.Streams.Terminal
	pidfd, err := openPidfd(proc.Pid)
	if err != nil {
		pidfd = nil // a kernel before 5.10, or it has ended: the next supervisor does without
	}
	n.State = p.st
	p.hold(n, pidfd, journal, ends)
}

// state is the container's with its execs.
func (c *container) state() proto.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	st := c.init.st
	if c.paused && c.phase == running {
		st.Status = proto.StatusPaused
	}
	for _, e := range c.execs {
		if e.st.Status != "" {
			st.Execs = append(st.Execs, e.st)
		}
	}
	return st
}

// process finds the container's init or one of its execs.
func (c *container) process(execID string) (*process, error) {
	if execID == "" {
		return c.init, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.execs[execID]; p != nil {
		return p, nil
	}
	return nil, notFound("No such exec instance: %s", execID)
}

// alive gives what runs, or says why nothing does.
func (c *container) alive() (Container, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != running {
		return nil, conflict("container %s is not running", c.id)
	}
	return c.run, nil
}

// container finds one, or with make begins one whose streams wait for a start.
func (s *Server) container(id string, create bool) *container {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.containers[id]
	if c == nil && create {
		c = &container{id: id, srv: s, init: s.newProcess(id, ""), cleaned: make(chan struct{}), execs: map[string]*process{}}
		s.containers[id] = c
	}
	return c
}

// forget takes a container out of the list, unless another of its name has taken its place.
func (s *Server) forget(c *container) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.containers[c.id] == c {
		delete(s.containers, c.id)
	}
}

// states are those of all containers that were started.
func (s *Server) states() []proto.State {
	s.mu.Lock()
	list := make([]*container, 0, len(s.containers))
	for _, c := range s.containers {
		list = append(list, c)
	}
	s.mu.Unlock()
	out := []proto.State{}
	for _, c := range list {
		if st := c.state(); st.Status != "" {
			out = append(out, st)
		}
	}
	return out
}
