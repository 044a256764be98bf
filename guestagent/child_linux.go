package guestagent

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/berthhq/berth/internal/agentapi"
	"golang.org/x/sys/unix"
)

// Between two starts of a child that does not stay up.
const (
	firstPause = 100 * time.Millisecond
	longPause  = 10 * time.Second
	stayedUp   = 30 * time.Second // who ran so long starts anew with firstPause
)

// child is a program that is kept running.
type child struct {
	name    string
	program program
	reaper  *reaper
	socket  string // where it listens, may be empty. While another has it none is started: the engine may start a supervisor too
	tell    func(agentapi.Child)

	mu    sync.Mutex
	state agentapi.Child
	ended chan struct{} // closed when the present process is gone; nil: there is none
}

// keep starts the program as often as it ends, until ctx does. It leaves the last process running.
func (c *child) keep(ctx context.Context) {
	pause := firstPause
	for {
		if !answers(c.socket) {
			began := time.Now()
			c.once(ctx)
			if time.Since(began) > stayedUp {
				pause = firstPause
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, longPause)
	}
}

// once runs the program until it ends or ctx does.
func (c *child) once(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	pid, end, err := c.reaper.start(c.program)
	if err != nil {
		c.note(func(s *agentapi.Child) { s.LastExit = err.Error() }, nil)
		return
	}
	ended := make(chan struct{})
	c.note(func(s *agentapi.Child) { s.PID = pid }, ended)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		ws := <-end
		close(ended)
		c.note(func(s *agentapi.Child) { s.PID, s.LastExit, s.Restarts = 0, describe(ws), s.Restarts+1 }, nil)
	}()
	select {
	case <-gone:
	case <-ctx.Done():
	}
}

func (c *child) note(change func(*agentapi.Child), ended chan struct{}) {
	c.mu.Lock()
	change(&c.state)
	c.state.Name = c.name
	c.ended = ended
	s := c.state
	c.mu.Unlock()
	c.tell(s)
}

func (c *child) status() agentapi.Child {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// stop asks the process to end and kills it after the grace. keep must have ended.
func (c *child) stop(grace time.Duration) {
	c.mu.Lock()
	pid, ended := c.state.PID, c.ended
	c.mu.Unlock()
	if ended == nil {
		return
	}
	_ = unix.Kill(pid, unix.SIGTERM)
	select {
	case <-ended:
		return
	case <-time.After(grace):
	}
	_ = unix.Kill(pid, unix.SIGKILL)
	<-ended
}

// answers tells whether somebody listens on a unix socket.
func answers(socket string) bool {
	c, err := net.DialTimeout("unix", socket, time.Second)
	if err == nil {
		c.Close()
	}
	return err == nil
}
