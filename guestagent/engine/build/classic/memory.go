package classic

import "sync"

// remembered is of how many steps a Memory knows at most.
const remembered = 8192

// Memory knows which steps that only change an image's configuration have been made. Safe for concurrent use; nil
// knows nothing.
type Memory struct {
	mu    sync.Mutex
	known map[string]bool
}

// NewMemory knows of no step yet.
func NewMemory() *Memory { return &Memory{known: map[string]bool{}} }

// remember notes a step, and tells whether it was known.
func (m *Memory) remember(id string) bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.known[id]
	if len(m.known) >= remembered {
		clear(m.known)
	}
	m.known[id] = true
	return was
}

// Forget forgets all steps: the cache has been pruned.
func (m *Memory) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.known)
}
