package supervisor

import (
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
)

// reap waits for a container's first process, sees its output through, announces the exit and then cleans up.
func (c *container) reap(p *process) {
	code, bury := p.wait()
	at := time.Now()
	if code == unknownExit {
		c.srv.log.Printf("container %s: process %d ended with code %d, or nobody can tell how", c.id, p.st.Pid, code)
	}
	p.hub.Drain()
	c.mu.Lock()
	run, log := c.run, c.log
	c.mu.Unlock()
	kills, err := run.OOMKills()
	if err != nil {
		kills = 0 // no memory controller: nothing was killed for memory
	}
	if err := log.Close(); err != nil {
		c.srv.log.Printf("container %s: closing its log: %v", c.id, err)
	}
	c.mu.Lock()
	p.st.Status, p.st.ExitCode, p.st.ExitedAt, p.st.OOMKilled = proto.StatusExited, code, at, kills > 0
	c.phase, c.paused = exited, false
	st := p.st
	c.mu.Unlock()
	c.saveExit(st)
	bury()
	if kills > 0 {
		c.srv.events.publish(proto.Event{Type: proto.EventOOM, State: &st})
	}
	c.srv.events.publish(proto.Event{Type: proto.EventExit, State: &st})
	p.hub.Finish()
	close(p.done)
	p.letGo(st)
	if err := run.Destroy(); err != nil {
		c.srv.log.Printf("container %s: cleaning up: %v", c.id, err)
	}
	close(c.cleaned)
}

// reapExec waits for an exec'd process.
func (c *container) reapExec(p *process) {
	code, bury := p.wait()
	at := time.Now()
	p.hub.Drain()
	c.mu.Lock()
	p.st.Status, p.st.ExitCode, p.st.ExitedAt = proto.StatusExited, code, at
	st := p.st
	c.mu.Unlock()
	p.letGo(st)
	bury()
	c.srv.events.publish(proto.Event{Type: proto.EventExit, State: &st})
	p.hub.Finish()
	close(p.done)
}
