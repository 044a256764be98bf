package fileshare

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/berthhq/berth/hostagent/fileshare/owner"
	"github.com/berthhq/berth/hostagent/fileshare/tree"
	"github.com/berthhq/berth/hostagent/fileshare/watch"
	"github.com/berthhq/berth/internal/fusewire"
)

// How long the guest's kernel may keep what it is told.
const (
	watchedFor   = time.Hour
	unwatchedFor = 100 * time.Millisecond
)

// Bounds on what a guest can make the server hold.
const (
	defaultNodes   = 2 << 20
	defaultHandles = 32 << 10
	requestsAtOnce = 64
	lockWaiters    = 512
	maxPins        = 4096
)

// Options say what a server serves.
type Options struct {
	Path     string // of the directory or the single file on the host
	ReadOnly bool
	Owners   string // file for owners that files cannot carry; "" keeps those in memory
	Journal  string // file by which a server goes on where one before it was killed; "" keeps none
	NoWatch  bool   // nothing is watched, as where the host has no watcher: all is told for 100 ms
	Nodes    int    // bound on files the guest knows at once, 0 for the default
	Handles  int    // bound on files the guest has open at once, 0 for the default
}

// Server serves one share to one guest.
type Server struct {
	opt    Options
	tree   *tree.Tree
	owners *owner.Memory
	watch  *watch.Watcher // nil: nothing is watched

	nodes   *nodes
	handles *handles
	slots   chan struct{}
	waiting chan struct{}
	rename  sync.RWMutex // held to write while a name moves on the host and in the table

	fineTimes  bool // the host never gives two changes that were looked at the same time
	minor      atomic.Uint32
	expireOnly atomic.Bool
	flights    flights
	lockFiles  atomic.Int64
	pins       atomic.Int64
	notices    notices
	journal    journal
	loose      loose

	closing   chan struct{}
	closeOnce sync.Once
}

// New opens a share.
func New(o Options) (*Server, error) {
	t, err := tree.Open(o.Path)
	if err != nil {
		return nil, err
	}
	m, err := owner.Open(o.Owners)
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	if o.Nodes == 0 {
		o.Nodes = defaultNodes
	}
	if o.Handles == 0 {
		o.Handles = defaultHandles
	}
	s := &Server{
		opt: o, fineTimes: tree.FineTimes(), tree: t, owners: m, handles: newHandles(o.Handles), closing: make(chan struct{}),
		slots: make(chan struct{}, requestsAtOnce), waiting: make(chan struct{}, lockWaiters),
	}
	if err := s.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("share %s: %w", o.Path, err), m.Close(), t.Close())
	}
	return s, nil
}

// start makes the root's node and the watcher.
func (s *Server) start() error {
	root, err := s.tree.Ref("")
	if err != nil {
		return err
	}
	defer root.Close()
	st, err := root.Stat()
	if err != nil {
		return err
	}
	s.nodes = newNodes(st.ID, s.opt.Nodes, s.journal.node, s.left)
	s.nodes.root.dir = !s.tree.File()
	s.notices.init()
	if !s.opt.NoWatch && !s.tree.File() {
		s.watch, err = watch.New(s.changed)
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
		s.guard(s.nodes.root, root) // no lookup leads to the root, yet it can be watched in the guest
	}
	return s.restore()
}

// left gives back what a node that leaves the table held.
func (s *Server) left(n *node) {
	s.journal.note("gone %d", n.id)
	n.mu.Lock()
	defer n.mu.Unlock()
	s.unpin(n)
	if n.watched {
		s.watch.Remove(n.id)
	}
	if n.unwatchable {
		s.loose.remove(n)
	}
	for o, f := range n.locks {
		_ = f.Close()
		s.lockFiles.Add(-1)
		delete(n.locks, o)
	}
}

// Close ends the server; its streams are the caller's to close, before or after.
func (s *Server) Close() error {
	s.closeOnce.Do(func() { close(s.closing) })
	s.flights.cancelAll()
	if s.watch != nil {
		_ = s.watch.Close()
	}
	s.journal.close()
	s.handles.closeAll()
	for _, n := range s.nodes.all() {
		s.left(n)
	}
	return errors.Join(s.owners.Close(), s.tree.Close())
}

// File says that the share is a single file.
func (s *Server) File() bool { return s.tree.File() }

// Hello is what a stream of this server begins with.
func (s *Server) Hello(role, share, session string) fusewire.Hello {
	return fusewire.Hello{Role: role, Share: share, Session: session, File: s.File()}
}

// ServeWorker answers the requests that come on a stream until it ends. Requests of one stream are carried out at the
// same time; their order is the kernel's matter, which does not send what depends on an answer before the answer.
func (s *Server) ServeWorker(stream io.ReadWriter) error {
	w := &worker{s: s, out: stream}
	defer w.pending.Wait()
	return w.run(stream)
}

// Nodes and Handles tell how many there are, for tests and diagnosis.
func (s *Server) Nodes() int {
	s.nodes.mu.Lock()
	defer s.nodes.mu.Unlock()
	return len(s.nodes.byID)
}

// Handles tells how many files the guest has open.
func (s *Server) Handles() int {
	s.handles.mu.Lock()
	defer s.handles.mu.Unlock()
	return len(s.handles.byID)
}
