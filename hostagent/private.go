package hostagent

import (
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/berthhq/berth/internal/paths"
)

// private are the ports that the host agent's own listeners have. Containers reach the host's loopback, and not these.
type private struct {
	mu    sync.Mutex
	ports map[uint16]int // how many listeners have it
}

// Withhold keeps a listener of this process out of the reach of containers until release is called. Whoever listens on
// TCP for the person, and not for a container, does so.
func (a *Agent) Withhold(l net.Listener) (release func()) {
	t, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return func() {}
	}
	port := uint16(t.Port)
	a.private.count(port, 1)
	return sync.OnceFunc(func() { a.private.count(port, -1) })
}

func (p *private) count(port uint16, by int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ports == nil {
		p.ports = map[uint16]int{}
	}
	if p.ports[port] += by; p.ports[port] == 0 {
		delete(p.ports, port)
	}
}

func (p *private) has(port uint16) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ports[port] > 0
}

// ofWindow says whether a port is that of a window, which a process of its own serves.
func ofWindow(port uint16) bool {
	for _, w := range paths.Windows(os.Getenv) {
		b, err := os.ReadFile(w.Port())
		if err == nil && strings.TrimSpace(string(b)) == strconv.Itoa(int(port)) {
			return true
		}
	}
	return false
}
