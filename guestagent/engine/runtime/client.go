//go:build linux

package runtime

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
	"github.com/containerd/containerd/v2/core/mount"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Runtime is what the container package may ask for. Client implements it; tests of the engine use fakes. Attach and
// Exec own the connection they are given, also when they fail.
type Runtime interface {
	Start(ctx context.Context, in Input) (State, error)
	Exec(ctx context.Context, id, execID string, base Input, in ExecInput, attach *proto.Attach, conn net.Conn) (State, error)
	Attach(ctx context.Context, id, execID string, a proto.Attach, conn net.Conn) error
	Signal(ctx context.Context, id, execID string, sig int, all bool) error
	Resize(ctx context.Context, id, execID string, height, width uint16) error
	Pause(ctx context.Context, id string) error
	Resume(ctx context.Context, id string) error
	Update(ctx context.Context, id string, r *specs.LinuxResources) error
	Pids(ctx context.Context, id string) ([]int, error)
	Stats(ctx context.Context, id string) ([]byte, error)
	State(ctx context.Context, id, execID string) (proto.State, error)
	Release(ctx context.Context, id, execID string) error
	FlushLogs(ctx context.Context, id string) error
	// Watch calls each for every event until ctx ends, beginning with a snapshot after every (re)connection.
	Watch(ctx context.Context, each func(proto.Event)) error
}

// Client speaks to berth-supervisor and starts it when it is missing. Safe for concurrent use.
type Client struct {
	layout paths.Layout
	pool   *pool
}

var _ Runtime = (*Client)(nil)

// NewClient makes a client of the supervisor of a state directory. binDir holds the program berth-supervisor.
func NewClient(layout paths.Layout, binDir string) *Client {
	l := newLauncher(layout, binDir)
	return &Client{layout: layout, pool: &pool{path: layout.SupervisorSocket(), start: l.start}}
}

// Start starts a container. Errors: Invalid where the configuration or the command cannot be, Conflict where it runs.
func (c *Client) Start(ctx context.Context, in Input) (State, error) {
	spec, err := NewSpec(in)
	if err != nil {
		return State{}, err
	}
	if err := os.MkdirAll(filepath.Dir(c.layout.Rootfs(in.ID)), 0o700); err != nil {
		return State{}, errdefs.System("container %s: %w", in.ID, err)
	}
	resp, err := c.pool.call(ctx, &proto.Request{Op: proto.OpStart, ID: in.ID, Start: &proto.Start{
		Spec:       spec,
		Rootfs:     rootMounts(in.Rootfs),
		RootfsPath: c.layout.Rootfs(in.ID),
		Streams:    in.Streams,
		Log:        in.Log,
		User:       in.Config.User,
		GroupAdd:   in.Host.GroupAdd,
		Systemd:    in.Systemd,
	}})
	return started(resp, err)
}

// Exec starts another process in a running container, with at most one client attached to it.
func (c *Client) Exec(ctx context.Context, id, execID string, base Input, in ExecInput, attach *proto.Attach, conn net.Conn) (State, error) {
	p, user, err := execProcess(base, in)
	if err != nil {
		if conn != nil {
			conn.Close()
		}
		return State{}, err
	}
	req := &proto.Request{Op: proto.OpExec, ID: id, ExecID: execID, Exec: &proto.Exec{
		Process:  p,
		User:     user,
		GroupAdd: base.Host.GroupAdd,
		Streams:  proto.Streams{Terminal: in.Terminal, Stdin: in.Stdin, StdinOnce: in.Stdin, Height: in.Height, Width: in.Width},
		Attach:   attach,
	}}
	return started(c.withConn(ctx, req, conn))
}

// Attach gives a client the streams of a container, or of a process exec'd in it.
func (c *Client) Attach(ctx context.Context, id, execID string, a proto.Attach, conn net.Conn) error {
	_, err := c.withConn(ctx, &proto.Request{Op: proto.OpAttach, ID: id, ExecID: execID, Attach: &a}, conn)
	return err
}

func (c *Client) withConn(ctx context.Context, req *proto.Request, conn net.Conn) (*proto.Response, error) {
	if conn == nil {
		return c.pool.call(ctx, req)
	}
	f, err := handover(conn)
	if err != nil {
		return nil, errdefs.System("handing on a connection to %s: %w", req.ID, err)
	}
	defer f.Close()
	return c.pool.call(ctx, req, int(f.Fd()))
}

// Signal sends a signal to a process, or to every process of the container.
func (c *Client) Signal(ctx context.Context, id, execID string, sig int, all bool) error {
	return c.plain(ctx, &proto.Request{Op: proto.OpSignal, ID: id, ExecID: execID, Signal: sig, All: all})
}

// Resize sets the size of a process's terminal, in characters.
func (c *Client) Resize(ctx context.Context, id, execID string, height, width uint16) error {
	return c.plain(ctx, &proto.Request{Op: proto.OpResize, ID: id, ExecID: execID, Height: height, Width: width})
}

// Pause freezes every process of a container.
func (c *Client) Pause(ctx context.Context, id string) error {
	return c.plain(ctx, &proto.Request{Op: proto.OpPause, ID: id})
}

// Resume thaws a paused container.
func (c *Client) Resume(ctx context.Context, id string) error {
	return c.plain(ctx, &proto.Request{Op: proto.OpResume, ID: id})
}

// Update sets limits of a running container.
func (c *Client) Update(ctx context.Context, id string, r *specs.LinuxResources) error {
	return c.plain(ctx, &proto.Request{Op: proto.OpUpdate, ID: id, Resources: r})
}

// Pids lists the processes of a container, in the engine's pid namespace.
func (c *Client) Pids(ctx context.Context, id string) ([]int, error) {
	resp, err := c.pool.call(ctx, &proto.Request{Op: proto.OpPids, ID: id})
	if err != nil {
		return nil, err
	}
	return resp.Pids, nil
}

// Stats are the cgroup's figures, JSON of libcontainer's cgroups.Stats.
func (c *Client) Stats(ctx context.Context, id string) ([]byte, error) {
	resp, err := c.pool.call(ctx, &proto.Request{Op: proto.OpStats, ID: id})
	if err != nil {
		return nil, err
	}
	return resp.Stats, nil
}

// State tells the state of a process as the supervisor sees it now.
func (c *Client) State(ctx context.Context, id, execID string) (proto.State, error) {
	resp, err := c.pool.call(ctx, &proto.Request{Op: proto.OpState, ID: id, ExecID: execID})
	if err != nil {
		return proto.State{}, err
	}
	if resp.State == nil {
		return proto.State{}, errdefs.System("berth-supervisor answered without a state")
	}
	return *resp.State, nil
}

// Release forgets a process that has exited and closes its clients.
func (c *Client) Release(ctx context.Context, id, execID string) error {
	return c.plain(ctx, &proto.Request{Op: proto.OpRelease, ID: id, ExecID: execID})
}

// FlushLogs returns when all that the container has said until now is in its log file.
func (c *Client) FlushLogs(ctx context.Context, id string) error {
	return c.plain(ctx, &proto.Request{Op: proto.OpLogs, ID: id})
}

func (c *Client) plain(ctx context.Context, req *proto.Request) error {
	_, err := c.pool.call(ctx, req)
	return err
}

func started(resp *proto.Response, err error) (State, error) {
	if err != nil {
		return State{}, err
	}
	if resp.State == nil {
		return State{}, errdefs.System("berth-supervisor answered without a state")
	}
	at := resp.State.StartedAt
	if at.IsZero() {
		at = time.Now()
	}
	return State{Pid: resp.State.Pid, StartedAt: at}, nil
}

func rootMounts(in []mount.Mount) []proto.Mount {
	out := make([]proto.Mount, len(in))
	for i, m := range in {
		out[i] = proto.Mount{Type: m.Type, Source: m.Source, Options: m.Options}
	}
	return out
}
