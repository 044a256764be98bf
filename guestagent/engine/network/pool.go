//go:build linux

package network

import (
	"context"
	"path/filepath"
	"sync"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/berthhq/berth/guestagent/engine/network/netns"
)

// prepared is a namespace with an interface that waits for a container: what takes long is done.
type prepared struct {
	path     string // of the namespace; the container keeps it there
	hostName string // of the host's end of the interface
	ns       *netns.Namespace
	pair     *netns.Pair
}

// Sizes of the pool.
const (
	poolSize = 6
	// poolRest is how long the pool waits after it gave something: a container is starting, and goes first.
	poolRest = 30 * time.Millisecond
	// preparedName is what the inner interface is called.
	preparedName = "eth0"
	// poolPrefix begins the names of prepared namespaces.
	poolPrefix = "pool-"
)

// pool keeps prepared namespaces. Nothing of it is recorded: what a crash leaves is a file below paths.NetNS that no
// sandbox names, and Reconcile sweeps those.
type pool struct {
	dir  string
	host *netlink.Handle
	size int
	wake chan struct{}

	mu    sync.Mutex
	ready []*prepared
	paths map[string]bool // also of those that are just being made
}

func newPool(dir string, host *netlink.Handle, size int) *pool {
	return &pool{dir: dir, host: host, size: size, wake: make(chan struct{}, 1), paths: map[string]bool{}}
}

// take gives a prepared namespace, or nil when none is ready. It is the caller's from then on.
func (p *pool) take() *prepared {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.poke()
	if len(p.ready) == 0 {
		return nil
	}
	got := p.ready[0]
	p.ready = p.ready[1:]
	delete(p.paths, got.path)
	return got
}

// poke asks for the pool to be filled.
func (p *pool) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// owns says whether a namespace is the pool's.
func (p *pool) owns(path string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.paths[path]
}

// run fills the pool when asked, until ctx ends; then it takes all away.
func (p *pool) run(ctx context.Context) {
	defer p.drain()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		}
		for p.short() {
			if p.rest(ctx) {
				continue
			}
			if ctx.Err() != nil || p.add() != nil {
				break // the next attach makes its own and tells what is wrong
			}
		}
	}
}

// rest waits until nothing has been taken for a while; it says whether something was taken meanwhile.
func (p *pool) rest(ctx context.Context) bool {
	select {
	case <-p.wake:
		return true
	case <-ctx.Done():
		return false
	case <-time.After(poolRest):
		return false
	}
}

func (p *pool) short() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.ready) < p.size
}

func (p *pool) add() error {
	id := newID()[:12]
	pr := &prepared{path: filepath.Join(p.dir, poolPrefix+id), hostName: "veth" + id[:7]}
	p.mu.Lock()
	p.paths[pr.path] = true
	p.mu.Unlock()
	err := netns.Create(pr.path, func() (err error) {
		if pr.ns, err = netns.Current(p.host); err != nil {
			return err
		}
		if err = pr.ns.LoopbackUp(); err == nil {
			pr.pair, err = pr.ns.Make(pr.hostName, preparedName, 0)
		}
		if err != nil {
			pr.ns.Close()
		}
		return err
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		delete(p.paths, pr.path)
		return err
	}
	p.ready = append(p.ready, pr)
	return nil
}

func (p *pool) drain() {
	p.mu.Lock()
	ready := p.ready
	p.ready, p.paths = nil, map[string]bool{}
	p.mu.Unlock()
	for _, pr := range ready {
		_ = pr.discard() // what does not go is swept when the engine starts again
	}
}

// discard lets a prepared namespace go that nobody used; the kernel takes its interface away with it.
func (pr *prepared) discard() error {
	pr.ns.Close()
	return netns.Delete(pr.path)
}
