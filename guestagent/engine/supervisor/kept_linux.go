package supervisor

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/guestagent/engine/supervisor/streams"
)

// note is what the keeper holds beside descriptors: enough for the next supervisor to go on.
type note struct {
	State   proto.State
	Streams proto.Streams
	Log     proto.Log
	Ends    string        `json:",omitempty"` // which descriptors: p pidfd, i stdin, o stdout, e stderr, t terminal, j journal of the log
	Attach  *proto.Attach `json:",omitempty"` // of a client; then the one descriptor is its socket
}

func processKey(id, execID string) string { return "process/" + id + "/" + execID }

// holding is what of a process the keeper holds. Its mutex is taken last of all.
type holding struct {
	mu      sync.Mutex
	note    note // but for Ends
	pidfd   *os.File
	journal *os.File // the log's own
	over    bool     // the process has ended: nothing is held any more
}

// hold has the keeper hold a process's streams and pidfd.
func (p *process) hold(n note, pidfd, journal *os.File, ends streams.Process) {
	p.held.mu.Lock()
	p.held.note, p.held.pidfd, p.held.journal = n, pidfd, journal
	p.held.mu.Unlock()
	p.holdEnds(ends, true)
}

// holdEnds has it hold these ends instead of what it held before; with stdin false, all but that.
func (p *process) holdEnds(ends streams.Process, stdin bool) {
	p.held.mu.Lock()
	defer p.held.mu.Unlock()
	if p.held.over {
		return
	}
	n := p.held.note
	var files []*os.File
	add := func(kind string, f *os.File) {
		if f != nil {
			n.Ends += kind
			files = append(files, f)
		}
	}
	add("p", p.held.pidfd)
	add("j", p.held.journal)
	if ends.Stdin != nil && ends.Stdin == ends.Stdout {
		add("t", ends.Stdout)
	} else {
		if stdin {
			add("i", ends.Stdin)
		}
		add("o", ends.Stdout)
		add("e", ends.Stderr)
	}
	if err := p.srv.keeper.Put(processKey(p.id, p.execID), &n, files...); err != nil {
		p.srv.log.Printf("container %s: holding its streams: %v", p.id, err)
	}
}

// isOver says whether a process that was started has ended, announced or not.
func (p *process) isOver() bool {
	p.held.mu.Lock()
	defer p.held.mu.Unlock()
	return p.held.over || p.held.pidfd != nil && isEnded(p.held.pidfd)
}

// lives says whether a process is known to be there still, so that its pid is its own.
func (p *process) lives() bool {
	p.held.mu.Lock()
	defer p.held.mu.Unlock()
	return p.held.pidfd != nil && !isEnded(p.held.pidfd)
}

// letGo ends the holding. An exec'd process is remembered with how it ended until it is released.
func (p *process) letGo(st proto.State) {
	p.held.mu.Lock()
	defer p.held.mu.Unlock()
	p.held.over = true
	if p.held.pidfd != nil {
		p.held.pidfd.Close()
	}
	if p.execID == "" {
		p.srv.keeper.Drop(processKey(p.id, ""))
		return
	}
	if err := p.srv.keeper.Put(processKey(p.id, p.execID), &note{State: st}); err != nil {
		p.srv.log.Printf("container %s: %v", p.id, err)
	}
}

// clients numbers the clients of all time.
type clients struct{ last atomic.Uint64 }

// join adds a client to a process's streams. It takes the descriptor over, and the keeper holds a duplicate.
func (s *Server) join(p *process, f *os.File, a proto.Attach) error {
	key := fmt.Sprintf("client/%d/%d", os.Getpid(), s.clients.last.Add(1))
	later := a
	later.Preface = nil // is written before a successor could need it
	if err := s.keeper.Put(key, &note{State: proto.State{ID: p.id, ExecID: p.execID}, Attach: &later}, f); err != nil {
		s.log.Printf("container %s: holding a client: %v", p.id, err)
	}
	return p.hub.Attach(f, a, func() { s.keeper.Drop(key) })
}
