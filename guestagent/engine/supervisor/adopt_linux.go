package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/logs/logfile"
	"github.com/berthhq/berth/guestagent/engine/supervisor/keep"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/guestagent/engine/supervisor/streams"
	"golang.org/x/sys/unix"
)

// held is what the keeper held for one process or client.
type held struct {
	note
	key   string
	files []*os.File
}

// Adopt takes up what an earlier supervisor left: containers from their records, streams and clients from the keeper.
// It is called once, before Serve. What cannot be taken up is logged and let go.
func (s *Server) Adopt(items []keep.Item) {
	processes, waiting := s.sort(items)
	records, err := filepath.Glob(filepath.Join(s.layout.SupervisorState(), "*.json"))
	if err != nil {
		s.log.Printf("reading records: %v", err)
	}
	for _, path := range records {
		id := strings.TrimSuffix(filepath.Base(path), ".json")
		if err := s.adoptContainer(id, path, processes); err != nil {
			s.log.Printf("container %s: taking it up: %v", id, err)
			os.Remove(path)
		}
	}
	for key, h := range processes {
		if c := s.container(h.State.ID, false); c != nil && h.State.ExecID != "" {
			c.adoptExec(h)
			continue
		}
		if h.State.ExecID == "" && h.kill() {
			s.log.Printf("container %s: process %d was started, and its supervisor killed before it was written down: it is ended", h.State.ID, h.State.Pid)
		}
		closeFiles(h.files)
		s.keeper.Drop(key)
	}
	for _, h := range waiting {
		s.adoptClient(h)
	}
}

func (s *Server) sort(items []keep.Item) (processes map[string]*held, clients []*held) {
	processes = map[string]*held{}
	for _, it := range items {
		h := &held{key: it.Key, files: it.Files}
		if err := json.Unmarshal(it.Note, &h.note); err != nil {
			s.log.Printf("what the keeper holds as %s: %v", it.Key, err)
			closeFiles(it.Files)
			continue
		}
		if h.Attach != nil {
			clients = append(clients, h)
		} else {
			processes[it.Key] = h
		}
	}
	return processes, clients
}

// adoptContainer makes a container from its record, with its streams where the keeper has them. The process they
// belong to is taken out of the list.
func (s *Server) adoptContainer(id, path string, processes map[string]*held) error {
	var r record
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return err
	}
	key := processKey(id, "")
	h := processes[key]
	delete(processes, key)
	c := s.container(id, true)
	p := c.init
	p.st = r.State
	if r.State.Status == proto.StatusExited {
		if h != nil {
			closeFiles(h.files)
		}
		c.phase = exited
		close(c.cleaned)
		close(p.done)
		p.hub.Finish()
		return nil
	}
	if h == nil {
		h = &held{note: note{State: r.State, Streams: r.Streams, Log: r.Log}}
	}
	ends, kept, err := p.adopt(h, r.Clock)
	if err == nil && r.Starter >= len(s.starters) {
		err = fmt.Errorf("it was started in a way that is not known here (%d)", r.Starter)
	}
	if err == nil {
		pid := r.State.Pid
		if !p.lives() {
			pid = 0
		}
		c.run, err = s.starters[r.Starter].Restore(id, pid, r.Saved)
	}
	if err != nil {
		ends.Close()
		closeFiles([]*os.File{kept})
		s.forget(c)
		p.hub.Finish()
		return err
	}
	if c.log, err = reopenLog(r.Log, kept); err != nil {
		s.log.Printf("container %s: its log: %v", id, err) // it runs on without one
	}
	c.phase, c.rec = running, r
	c.paused = r.State.Status == proto.StatusPaused
	p.st.Status = proto.StatusRunning
	p.hub.Bind(ends, r.Streams.StdinOnce, c.log.outlet(logfile.Stdout), c.log.outlet(logfile.Stderr))
	go c.reap(p)
	return nil
}

// find gives a pidfd of a process that still lives; nil if it is gone and its pid means another by now, or nothing.
func find(pid int, clock uint64) *os.File {
	f, err := openPidfd(pid)
	if err != nil {
		return nil
	}
	if clock == 0 || startClock(pid) != clock { // looked at after the pidfd was opened, so it is of this very process
		f.Close()
		return nil
	}
	return f
}

// adopt makes a process of what is known and held of it. The journal of its log is given back as it was kept.
func (p *process) adopt(h *held, clock uint64) (ends streams.Process, journal *os.File, err error) {
	var pidfd *os.File
	if ends, pidfd, journal, err = h.open(); err != nil {
		return ends, journal, err
	}
	pid := h.State.Pid
	if pidfd == nil {
		pidfd = find(pid, clock)
	}
	p.proc, p.wait = &os.Process{}, func() (int, func()) { return unknownExit, func() {} } // cannot be signalled
	if pidfd != nil && !isEnded(pidfd) {
		if p.proc, err = os.FindProcess(pid); err != nil {
			return ends, journal, err
		}
	}
	if pidfd != nil {
		p.wait = func() (int, func()) { return waitStranger(pidfd, pid, p.srv.keeper.Exit), func() {} }
	}
	p.st = h.State
	h.note.Ends = ""
	p.hold(h.note, pidfd, journal, ends)
	return ends, journal, nil
}

// open sorts the descriptors by the note.
func (h *held) open() (ends streams.Process, pidfd, journal *os.File, err error) {
	if len(h.Ends) != len(h.files) {
		closeFiles(h.files)
		return ends, nil, nil, fmt.Errorf("%d descriptors instead of %q", len(h.files), h.Ends)
	}
	for i, kind := range h.Ends {
		if kind == 'j' {
			journal = h.files[i]
			continue
		}
		f, perr := pollable(h.files[i])
		if perr != nil {
			err = errors.Join(err, perr)
			continue
		}
		switch kind {
		case 'p':
			pidfd = f
		case 'i':
			ends.Stdin = f
		case 'o':
			ends.Stdout = f
		case 'e':
			ends.Stderr = f
		case 't':
			ends.Stdin, ends.Stdout = f, f
		}
	}
	return ends, pidfd, journal, err
}

// kill ends the process of which this is held, and says whether there was one.
func (h *held) kill() bool {
	i := strings.IndexByte(h.Ends, 'p')
	return i >= 0 && len(h.Ends) == len(h.files) && unix.PidfdSendSignal(int(h.files[i].Fd()), unix.SIGKILL, nil, 0) == nil
}

func isEnded(pidfd *os.File) (is bool) {
	raw, err := pidfd.SyscallConn()
	if err != nil {
		return true
	}
	return raw.Control(func(fd uintptr) { is = ended(int(fd)) }) != nil || is
}

// adoptExec takes up an exec'd process, or the memory of one.
func (c *container) adoptExec(h *held) {
	p := c.srv.newProcess(c.id, h.State.ExecID)
	p.st = h.State
	c.execs[h.State.ExecID] = p
	if h.State.Status == proto.StatusExited {
		closeFiles(h.files)
		close(p.done)
		p.hub.Finish()
		return
	}
	ends, _, err := p.adopt(h, 0)
	if err != nil {
		c.srv.log.Printf("exec %s of container %s: taking it up: %v", h.State.ExecID, c.id, err)
		ends.Close()
		delete(c.execs, h.State.ExecID)
		return
	}
	p.hub.Bind(ends, h.Streams.StdinOnce, streams.Outlet{}, streams.Outlet{})
	go c.reapExec(p)
}

// adoptClient joins a client to its process again; one whose process is gone is closed.
func (s *Server) adoptClient(h *held) {
	s.keeper.Drop(h.key)
	if len(h.files) != 1 {
		closeFiles(h.files)
		return
	}
	c := s.container(h.State.ID, h.State.ExecID == "")
	var p *process
	if c != nil {
		p, _ = c.process(h.State.ExecID)
	}
	if p == nil {
		shut(h.files[0])
		return
	}
	if err := s.join(p, h.files[0], *h.Attach); err != nil {
		s.log.Printf("container %s: a client: %v", h.State.ID, err)
	}
}
