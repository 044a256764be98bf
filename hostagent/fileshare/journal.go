package fileshare

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/berthhq/berth/hostagent/fileshare/tree"
	"github.com/berthhq/berth/internal/fusewire"
)

// journal lets a server go on where one before it was killed: the guest's kernel still uses its numbers. It is a file of
// lines, written before the answer that tells the guest of a number; what was not written yet dies with the answer.
//
//	node ID PARENT TYPE DEV INO BORN "NAME"   a node, and its place; PARENT 0 is that it has none any more
//	gone ID                                   the kernel has forgotten it
//	open HANDLE NODE FLAGS                    an open file
//	shut HANDLE
//	init MINOR EXPIRES                        what was agreed on with the kernel
type journal struct {
	mu      sync.Mutex
	file    *os.File // nil: none is kept
	pending bytes.Buffer
	size    int
}

// journalMax is when the file is written anew with what counts.
const journalMax = 64 << 20

func (j *journal) note(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file != nil {
		_, _ = fmt.Fprintf(&j.pending, format+"\n", args...)
	}
}

func (j *journal) node(n *node) {
	var parent uint64
	if n.parent != nil {
		parent = n.parent.id
	}
	j.note("node %d %d %d %d %d %d %q", n.id, parent, n.typ, n.key.Dev, n.key.Ino, n.key.Born, n.name)
}

// flush writes what was noted. Where the disk is full the guest's numbers die with this server, and nothing else.
func (j *journal) flush() (full bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil || j.pending.Len() == 0 {
		return false
	}
	n, _ := j.file.Write(j.pending.Bytes())
	j.size += n
	j.pending.Reset()
	return j.size > journalMax
}

func (j *journal) kept() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.file != nil
}

// close ends the journal; what it says stays, for the guest may still have the share mounted.
func (j *journal) close() {
	j.flush()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file != nil {
		_ = j.file.Close()
		j.file = nil
	}
}

// restore takes over the numbers of the server before, and begins the journal anew.
func (s *Server) restore() error {
	if s.opt.Journal == "" {
		return nil
	}
	f, err := os.Open(s.opt.Journal)
	if err == nil {
		old := readJournal(f)
		_ = f.Close()
		s.adopt(old)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.rewrite()
}

// rewrite writes the journal anew.
func (s *Server) rewrite() error {
	f, err := os.OpenFile(s.opt.Journal+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	s.nodes.mu.Lock() // no number is given or taken meanwhile
	defer s.nodes.mu.Unlock()
	s.handles.mu.Lock()
	defer s.handles.mu.Unlock()
	j := &s.journal
	j.mu.Lock()
	old := j.file
	j.file, j.size = f, 0
	j.pending.Reset()
	j.mu.Unlock()
	for _, n := range s.nodes.byID {
		if n != s.nodes.root {
			j.node(n)
		}
	}
	for _, h := range s.handles.byID {
		j.note("open %d %d %d", h.id, h.node.id, h.flags)
	}
	j.note("init %d %t", s.minor.Load(), s.expireOnly.Load())
	j.flush()
	if old != nil {
		_ = old.Close()
	}
	return os.Rename(s.opt.Journal+".new", s.opt.Journal)
}

// oldNode and oldHandle are what a journal says.
type oldNode struct {
	id, parent uint64
	typ        uint32
	key        tree.ID
	name       string
}

type oldHandle struct {
	id, node uint64
	flags    uint32
}

type oldState struct {
	nodes   map[uint64]oldNode
	handles map[uint64]oldHandle
	minor   uint32
	expires bool
}

func readJournal(f *os.File) oldState {
	old := oldState{nodes: map[uint64]oldNode{}, handles: map[uint64]oldHandle{}}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var n oldNode
		var h oldHandle
		var id uint64
		text := lines.Text()
		if c, _ := fmt.Sscanf(text, "node %d %d %d %d %d %d %q", &n.id, &n.parent, &n.typ, &n.key.Dev, &n.key.Ino, &n.key.Born, &n.name); c == 7 {
			old.nodes[n.id] = n
		} else if c, _ := fmt.Sscanf(text, "open %d %d %d", &h.id, &h.node, &h.flags); c == 3 {
			old.handles[h.id] = h
		} else if c, _ := fmt.Sscanf(text, "gone %d", &id); c == 1 {
			delete(old.nodes, id)
		} else if c, _ := fmt.Sscanf(text, "shut %d", &id); c == 1 {
			delete(old.handles, id)
		} else if strings.HasPrefix(text, "init ") {
			_, _ = fmt.Sscanf(text, "init %d %t", &old.minor, &old.expires)
		}
	}
	return old
}

// adopt puts nodes and handles into the tables under their old numbers. Whether a file is still the same is found out when
// it is used. Directories are watched again, since programs in the guest may wait for their events.
func (s *Server) adopt(old oldState) {
	s.minor.Store(old.minor)
	s.expireOnly.Store(old.expires)
	t := s.nodes
	t.mu.Lock()
	for _, o := range old.nodes {
		n := &node{id: o.id, key: o.key, typ: o.typ, dir: o.typ == fusewire.ModeDir, lookups: 1, adopted: true}
		if o.id != fusewire.RootID && t.byFl[o.key] == nil && len(t.byID) < t.max {
			t.byID[n.id], t.byFl[n.key] = n, n
		}
	}
	for _, o := range old.nodes {
		n, p := t.byID[o.id], t.byID[o.parent]
		if n != nil && p != nil && p.dir && fusewire.ValidName(o.name) && !t.above(n, p) {
			t.attach(n, p, o.name)
		}
	}
	t.mu.Unlock()
	for _, o := range old.handles {
		s.adoptHandle(o)
	}
	all := t.all()
	slices.SortFunc(all, func(a, b *node) int { return int(int64(a.id) - int64(b.id)) })
	for _, n := range all {
		if n.dir && n != t.root {
			if ref, _, err := s.ref(n); err == nil {
				s.guard(n, ref)
				ref.Close()
			}
		}
	}
	s.notices.dropAll() // of what happened while nobody watched
}

func (s *Server) adoptHandle(o oldHandle) {
	n, err := s.nodes.get(o.node)
	if err != nil {
		return
	}
	ref, _, err := s.ref(n)
	if err != nil {
		return
	}
	defer ref.Close()
	if f, err := ref.Open(o.flags &^ tree.Truncate); err == nil {
		_, _ = s.handles.put(o.id, n, f, o.flags)
	}
}
