package fileshare

import (
	"strings"
	"sync"
	"time"

	"github.com/berthhq/berth/hostagent/fileshare/tree"
	"github.com/berthhq/berth/internal/fusewire"
)

// node is a file that the guest's kernel knows. One with several names is one node.
type node struct {
	id  uint64
	key tree.ID
	dir bool
	typ uint32 // type bits of the mode

	// nodes.mu guards these.
	adopted  bool   // of a server before: nobody knows how often the kernel was told
	lookups  uint64 // how often the kernel was told; it gives them back by FORGET
	parent   *node  // nil of the root, and of what has no name any more
	name     string
	children map[string]*node

	mu          sync.Mutex
	told        version // what the kernel was last told of size and times
	cached      version // the state that the kernel's cached data is of
	handles     []*handle
	locks       map[uint64]*tree.File // an open file for each owner of POSIX locks
	pin         *tree.Ref             // of a file whose name the guest removed
	watched     bool
	unwatchable bool   // watching it failed: what is told of it is for 100 ms
	gid         uint32 // as last shown
	setgid      bool   // a directory whose group goes to what is made in it
	suid        bool   // the remembered mode has bits that a write clears
}

// version is by what a file is known to have changed.
type version struct {
	size         uint64
	mtime, ctime fusewire.Time
}

func versionOf(a *fusewire.Attr) version { return version{a.Size, a.Mtime, a.Ctime} }

// sameData says whether the contents are the same; a chmod changes the ctime alone.
func (v version) sameData(o version) bool { return v.size == o.size && v.mtime == o.mtime }

// nodes is the table. Its size is bounded by what the guest's kernel remembers, and for a guest that forgets nothing by max.
type nodes struct {
	mu   sync.Mutex
	byID map[uint64]*node
	byFl map[tree.ID]*node
	last uint64
	max  int
	root *node
	note func(*node) // called for each node that gets or loses its place, with mu held
	gone func(*node) // called for each node that leaves the table, with mu held
}

func newNodes(root tree.ID, max int, note, gone func(*node)) *nodes {
	n := &node{id: fusewire.RootID, key: root, dir: true, lookups: 1}
	return &nodes{
		byID: map[uint64]*node{n.id: n}, byFl: map[tree.ID]*node{root: n}, last: epoch(), max: max, root: n, note: note, gone: gone,
	}
}

// epoch is where a server begins to count: above all numbers of a server before it, which the guest's kernel may still
// hold, so that none is taken for another file. It leaves the highest bit to the relay.
func epoch() uint64 { return uint64(time.Now().UnixMilli()) << 20 }

// get finds the node of a request.
func (t *nodes) get(id uint64) (*node, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.byID[id]; n != nil {
		return n, nil
	}
	return nil, fusewire.ESTALE
}

// path tells where a node is below the root. A node without a name is ESTALE.
func (t *nodes) path(n *node) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pathLocked(n)
}

func (t *nodes) pathLocked(n *node) (string, error) {
	var parts [64]string
	names := parts[:0]
	for ; n != t.root; n = n.parent {
		if n.parent == nil {
			return "", fusewire.ESTALE
		}
		names = append(names, n.name)
	}
	for i, j := 0, len(names)-1; i < j; i, j = i+1, j-1 {
		names[i], names[j] = names[j], names[i]
	}
	return strings.Join(names, "/"), nil
}

// found records that the kernel is told of a file under a name, and counts it.
func (t *nodes) found(parent *node, name string, s *tree.Stat) (*node, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.byFl[s.ID]
	if n == nil {
		if len(t.byID) >= t.max {
			return nil, fusewire.ENFILE
		}
		t.last++
		n = &node{id: t.last, key: s.ID, typ: s.Attr.Mode & fusewire.ModeType}
		n.dir = n.typ == fusewire.ModeDir
		t.byID[n.id], t.byFl[n.key] = n, n
	}
	n.lookups++
	if n != t.root && (n.parent != parent || n.name != name) && !(n.dir && t.above(n, parent)) {
		t.attach(n, parent, name)
	}
	return n, nil
}

// nameless records a file that the kernel is told of and that has no name.
func (t *nodes) nameless(s *tree.Stat) (*node, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.byID) >= t.max {
		return nil, fusewire.ENFILE
	}
	t.last++
	n := &node{id: t.last, key: s.ID, typ: fusewire.ModeRegular, lookups: 1}
	t.byID[n.id], t.byFl[n.key] = n, n
	t.note(n)
	return n, nil
}

// above says whether n is parent or stands above it, as a bind mount of a directory inside itself would show.
func (t *nodes) above(n, parent *node) bool {
	for p := parent; p != nil; p = p.parent {
		if p == n {
			return true
		}
	}
	return false
}

// attach gives a node a place; what had it has no name any more.
func (t *nodes) attach(n, parent *node, name string) {
	if old := parent.children[name]; old != nil && old != n {
		t.detach(old)
	}
	t.detach(n)
	if parent.children == nil {
		parent.children = map[string]*node{}
	}
	parent.children[name] = n
	n.parent, n.name = parent, name
	t.note(n)
}

// detach takes a node's name away.
func (t *nodes) detach(n *node) {
	p := n.parent
	if p == nil {
		return
	}
	if p.children[n.name] == n {
		delete(p.children, n.name)
	}
	n.parent, n.name = nil, ""
	t.note(n)
	t.sweep(p)
	t.sweep(n)
}

// sweep removes a node that neither the kernel nor a child needs, and then perhaps its parent.
func (t *nodes) sweep(n *node) {
	for n != nil && n != t.root && n.lookups == 0 && len(n.children) == 0 {
		p := n.parent
		if p != nil && p.children[n.name] == n {
			delete(p.children, n.name)
		}
		if t.byID[n.id] == n {
			delete(t.byID, n.id)
			if t.byFl[n.key] == n {
				delete(t.byFl, n.key)
			}
			t.gone(n)
		}
		n.parent = nil
		n = p
	}
}

// forget takes back what found counted; a guest that takes back more than it got gains nothing.
func (t *nodes) forget(id, count uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.byID[id]
	if n == nil || n == t.root {
		return
	}
	if n.adopted { // the kernel forgets a node as a whole
		count = n.lookups
	}
	n.lookups -= min(count, n.lookups)
	t.sweep(n)
}

// forgetAll empties the table.
func (t *nodes) forgetAll() {
	for _, n := range t.all() {
		t.forget(n.id, 1<<64-1)
	}
}

// child finds a node by its place.
func (t *nodes) child(parent *node, name string) *node {
	t.mu.Lock()
	defer t.mu.Unlock()
	return parent.children[name]
}

// removed records that a name is gone.
func (t *nodes) removed(parent *node, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := parent.children[name]; n != nil {
		t.detach(n)
	}
}

// moved records a rename; with exchange both names stay.
func (t *nodes) moved(from *node, name string, to *node, toName string, exchange bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, other := from.children[name], to.children[toName]
	if n != nil && t.above(n, to) || exchange && other != nil && t.above(other, from) || n == other {
		return
	}
	switch {
	case exchange:
		if n != nil {
			n.lookups++ // holds both in the table while neither has a place
			t.detach(n)
		}
		if other != nil {
			t.attach(other, from, name)
		}
		if n != nil {
			t.attach(n, to, toName)
			n.lookups--
		}
	case n != nil:
		t.attach(n, to, toName)
	case other != nil:
		t.detach(other)
	}
}

// all is every node at this moment.
func (t *nodes) all() []*node {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]*node, 0, len(t.byID))
	for _, n := range t.byID {
		out = append(out, n)
	}
	return out
}

// place is the name and parent of a node, where it has one.
func (t *nodes) place(n *node) (parent *node, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return n.parent, n.name
}
