package fileshare

import (
	"slices"
	"sync"

	"github.com/berthhq/berth/hostagent/fileshare/tree"
	"github.com/berthhq/berth/internal/fusewire"
)

// handle is a file that the guest has open.
type handle struct {
	id    uint64
	node  *node
	file  *tree.File
	flags uint32

	mu     sync.Mutex
	owners []uint64 // of POSIX locks asked for through this handle
}

// handles is the table of open files.
type handles struct {
	mu   sync.Mutex
	byID map[uint64]*handle
	last uint64
	max  int
}

func newHandles(max int) *handles {
	return &handles{byID: map[uint64]*handle{}, last: epoch(), max: max}
}

// add records an open file. Where the table is full the file is closed.
func (t *handles) add(n *node, f *tree.File, flags uint32) (*handle, error) {
	t.mu.Lock()
	t.last++
	id := t.last
	t.mu.Unlock()
	return t.put(id, n, f, flags)
}

// put records an open file under a number.
func (t *handles) put(id uint64, n *node, f *tree.File, flags uint32) (*handle, error) {
	h := &handle{id: id, node: n, file: f, flags: flags}
	t.mu.Lock()
	if len(t.byID) >= t.max {
		t.mu.Unlock()
		_ = f.Close()
		return nil, fusewire.ENFILE
	}
	t.byID[id] = h
	t.mu.Unlock()
	n.mu.Lock()
	n.handles = append(n.handles, h)
	n.mu.Unlock()
	return h, nil
}

// get finds the handle of a request; it must be the node's.
func (t *handles) get(id uint64, n *node) (*handle, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h := t.byID[id]; h != nil && h.node == n {
		return h, nil
	}
	return nil, fusewire.EBADF
}

// remove takes a handle out and closes its file.
func (t *handles) remove(id uint64, n *node) *handle {
	t.mu.Lock()
	h := t.byID[id]
	if h == nil || h.node != n {
		t.mu.Unlock()
		return nil
	}
	delete(t.byID, id)
	t.mu.Unlock()
	n.mu.Lock()
	n.handles = slices.DeleteFunc(n.handles, func(o *handle) bool { return o == h })
	n.mu.Unlock()
	return h
}

// all is every handle at this moment.
func (t *handles) all() []*handle {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]*handle, 0, len(t.byID))
	for _, h := range t.byID {
		out = append(out, h)
	}
	return out
}

// closeAll ends every handle.
func (t *handles) closeAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, h := range t.byID {
		_ = h.file.Close()
		delete(t.byID, id)
	}
}
