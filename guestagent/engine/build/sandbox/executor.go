//go:build linux

package sandbox

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/berthhq/berth/guestagent/engine/network"
	"github.com/berthhq/berth/guestagent/engine/runtime"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
	"github.com/moby/buildkit/executor"
	"github.com/moby/moby/api/types/container"
)

// Runtime is what commands need of the supervisor's client (package runtime).
type Runtime interface {
	Start(ctx context.Context, in runtime.Input) (runtime.State, error)
	Exec(ctx context.Context, id, execID string, base runtime.Input, in runtime.ExecInput, attach *proto.Attach, conn net.Conn) (runtime.State, error)
	Attach(ctx context.Context, id, execID string, a proto.Attach, conn net.Conn) error
	Signal(ctx context.Context, id, execID string, sig int, all bool) error
	Resize(ctx context.Context, id, execID string, height, width uint16) error
	State(ctx context.Context, id, execID string) (proto.State, error)
	Release(ctx context.Context, id, execID string) error
	Watch(ctx context.Context, each func(proto.Event)) error
}

// Networks is what commands need of networks (package network).
type Networks interface {
	Attach(ctx context.Context, cfg network.SandboxConfig) (*network.Sandbox, error)
	Detach(ctx context.Context, containerID string) error
}

// Options are what an Executor works with.
type Options struct {
	Layout   paths.Layout
	Runtime  Runtime
	Networks Networks
	Cgroups  runtime.Cgroups
	CgroupNS container.CgroupnsMode
}

// Executor runs commands. Safe for concurrent use.
type Executor struct {
	Options
	exits *exits

	mu      sync.Mutex
	running map[string]*command
}

var _ executor.Executor = (*Executor)(nil)

// New makes an executor. Close ends it.
func New(o Options) (*Executor, error) {
	if err := os.MkdirAll(o.Layout.BuildRun(), 0o700); err != nil {
		return nil, errdefs.System("making %s: %w", o.Layout.BuildRun(), err)
	}
	return &Executor{Options: o, exits: newExits(o.Runtime), running: map[string]*command{}}, nil
}

// Clear removes the directory of commands, with what an engine that was killed left mounted in it.
func Clear(dir string) error {
	if err := unmountBelow(dir); err != nil {
		return errdefs.System("clearing %s: %w", dir, err)
	}
	return os.RemoveAll(dir)
}

// Close ends what follows the supervisor. Commands must have ended.
func (x *Executor) Close() { x.exits.close() }

// dir is the directory of one command.
func (x *Executor) dir(id string) string { return filepath.Join(x.Layout.BuildRun(), id) }

// command is one that runs.
type command struct {
	in      runtime.Input
	started chan struct{} // closed when it runs, or never will
	live    bool          // valid once started is closed
}

func (x *Executor) begin(id string) (*command, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.running[id] != nil {
		return nil, errdefs.Conflict("container %s runs already", id)
	}
	c := &command{started: make(chan struct{})}
	x.running[id] = c
	return c, nil
}

func (x *Executor) end(id string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.running, id)
}

func (x *Executor) find(id string) *command {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.running[id]
}
