//go:build linux

package build

import (
	"context"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"github.com/berthhq/berth/guestagent/engine/build/classic"
	"github.com/berthhq/berth/guestagent/engine/build/sandbox"
	"github.com/berthhq/berth/guestagent/engine/image"
	"github.com/berthhq/berth/guestagent/engine/runtime"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
	"github.com/moby/moby/api/types/container"
)

// Publisher tells the world what happened (package events).
type Publisher interface {
	Publish(typ, action, id string, attrs map[string]string)
}

// Options are what a Builder works with.
type Options struct {
	Layout       paths.Layout
	Images       *image.Service
	Networks     sandbox.Networks
	Runtime      sandbox.Runtime
	Bus          Publisher
	HostGateways []netip.Addr // what "host-gateway" stands for in extra hosts
	Cgroups      runtime.Cgroups
	CgroupNS     container.CgroupnsMode
	Log          *slog.Logger
}

// Builder builds images. Safe for concurrent use.
type Builder struct {
	o    Options
	jobs *jobs
	past *classic.Memory

	mu     sync.Mutex
	kit    *kit // nil until somebody needs it
	users  int  // of kit
	idle   *time.Timer
	closed bool
}

// idleTime is how long after BuildKit's last use its memory is given back. It stays open: packages of BuildKit keep in
// variables of their own what they know of cache records (contenthash does), with the databases that this came from, and
// a second BuildKit in one process would be answered out of the first one's closed database.
const idleTime = time.Minute

// New makes a builder and clears what the builds of an engine that was killed have left mounted. It opens nothing yet.
func New(o Options) (*Builder, error) {
	if err := clearLeft(o.Layout); err != nil {
		return nil, errdefs.System("what a build has left behind: %w", err)
	}
	return &Builder{o: o, jobs: newJobs(), past: classic.NewMemory()}, nil
}

// open gives BuildKit, opened by the first caller, until done is called.
func (b *Builder) open(ctx context.Context) (k *kit, done func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, nil, errdefs.Unavailable("the engine is stopping")
	}
	if b.kit == nil {
		k, err := openKit(context.WithoutCancel(ctx), b.o)
		if err != nil {
			return nil, nil, errdefs.System("starting BuildKit: %w", err)
		}
		b.kit = k
	}
	b.users++
	if b.idle != nil {
		b.idle.Stop()
	}
	return b.kit, sync.OnceFunc(b.leave), nil
}

// leave notes that one user needs BuildKit no more.
func (b *Builder) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.users--; b.users == 0 && !b.closed {
		b.idle = time.AfterFunc(idleTime, b.rest)
	}
}

// rest gives memory back where BuildKit still has no user.
func (b *Builder) rest() {
	b.mu.Lock()
	busy := b.users > 0
	b.mu.Unlock()
	if busy {
		return
	}
	debug.FreeOSMemory()
	if err := dropProgram(); err != nil {
		b.o.Log.Debug("giving back the program's pages", "error", err)
	}
}

// Close ends the builds under way and closes BuildKit.
func (b *Builder) Close() error {
	b.mu.Lock()
	k := b.kit
	b.kit, b.closed = nil, true
	if b.idle != nil {
		b.idle.Stop()
	}
	b.mu.Unlock()
	b.jobs.cancelAll()
	if k == nil {
		return nil
	}
	return k.close()
}
