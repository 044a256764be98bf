package supervisor

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
)

// record is what a later supervisor needs to know of a container, kept in a file below paths.SupervisorState.
type record struct {
	State   proto.State
	Starter int             // index among the starters
	Saved   json.RawMessage `json:",omitempty"`
	Streams proto.Streams
	Log     proto.Log
	Clock   uint64 // start time of the first process, in clock ticks since boot (proc(5)), against pid reuse
}

func (c *container) recordPath() string {
	return filepath.Join(c.srv.layout.SupervisorState(), c.id+".json")
}

// save writes the record; a container whose record cannot be written runs on, it is only not found again.
func (c *container) save(s *proto.Start) {
	saved, err := c.run.Saved()
	c.rec = record{
		State: c.init.st, Starter: c.srv.starterIndex(s), Saved: saved,
		Streams: s.Streams, Log: s.Log, Clock: startClock(c.init.st.Pid),
	}
	if err == nil {
		err = c.write(&c.rec)
	}
	if err != nil {
		c.srv.log.Printf("container %s: its record: %v", c.id, err)
	}
}

// savePaused notes whether the container is frozen.
func (c *container) savePaused() {
	c.rec.State.Status = proto.StatusRunning
	if c.paused {
		c.rec.State.Status = proto.StatusPaused
	}
	if err := c.write(&c.rec); err != nil {
		c.srv.log.Printf("container %s: its record: %v", c.id, err)
	}
}

// saveExit notes the end of a container until it is released.
func (c *container) saveExit(st proto.State) {
	if err := c.write(&record{State: st}); err != nil {
		c.srv.log.Printf("container %s: its record: %v", c.id, err)
	}
}

func (c *container) unsave() { os.Remove(c.recordPath()) }

func (c *container) write(r *record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	path := c.recordPath()
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
