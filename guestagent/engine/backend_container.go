//go:build linux

package engine

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"

	"github.com/berthhq/berth/guestagent/engine/api"
	"github.com/berthhq/berth/guestagent/engine/container"
	"github.com/berthhq/berth/guestagent/engine/logs"
	apicontainer "github.com/moby/moby/api/types/container"
)

// containerBackend is the life of containers; the service speaks the API's words already.
type containerBackend struct{ *container.Service }

func (b containerBackend) ContainerPrune(ctx context.Context, f api.Filters) (apicontainer.PruneReport, error) {
	return b.Service.ContainerPrune(ctx, f)
}

// queryBackend is what can be asked of containers.
type queryBackend struct{ e *Engine }

func (b queryBackend) ContainerList(ctx context.Context, o api.ContainerListOptions) ([]apicontainer.Summary, error) {
	return b.e.containers.ContainerList(ctx, container.ListOptions{All: o.All, Size: o.Size, Limit: o.Limit, Filters: o.Filters})
}

func (b queryBackend) ContainerInspect(ctx context.Context, name string, size bool) (*apicontainer.InspectResponse, error) {
	return b.e.containers.ContainerInspect(ctx, name, size)
}

func (b queryBackend) ContainerTop(ctx context.Context, name, psArgs string) (apicontainer.TopResponse, error) {
	return b.e.containers.ContainerTop(ctx, name, psArgs)
}

func (b queryBackend) ContainerLogs(ctx context.Context, name string, o api.LogOptions) (bool, api.LogStream, error) {
	cfg, tty, done, err := b.e.containers.Log(ctx, name)
	if err != nil {
		return false, nil, err
	}
	opts := logs.Options{
		Stdout: o.Stdout, Stderr: o.Stderr, Follow: o.Follow, Timestamps: o.Timestamps, Details: o.Details,
		Since: o.Since, Until: o.Until, Tail: o.Tail, Done: done,
	}
	return tty, func(ctx context.Context, stdout, stderr io.Writer, settled func()) error {
		opts.Settled = settled
		return logs.Stream(ctx, cfg, opts, stdout, stderr)
	}, nil
}

func (b queryBackend) ContainerStats(ctx context.Context, name string, _ bool) (apicontainer.StatsResponse, error) {
	return b.e.containers.ContainerStats(ctx, name)
}

func (b queryBackend) ContainerChanges(ctx context.Context, name string) ([]apicontainer.FilesystemChange, error) {
	return b.e.containers.ContainerChanges(ctx, name)
}

// streamBackend is attaching, and processes exec'd in containers.
type streamBackend struct{ e *Engine }

func hijacker(h func(mux bool) api.Hijack) func(mux bool) container.Hijack {
	return func(mux bool) container.Hijack { return container.Hijack(h(mux)) }
}

func (b streamBackend) ContainerAttach(ctx context.Context, name string, o api.AttachOptions, hijack func(mux bool) api.Hijack) error {
	return b.e.containers.ContainerAttach(ctx, name, container.AttachOptions(o), hijacker(hijack), b.replay)
}

// replayBuffer is how much of a log goes to a client that attaches at once, in bytes.
const replayBuffer = 32 << 10

// replay writes a container's log to a client that attaches.
func (b streamBackend) replay(ctx context.Context, id string, tty, stdout, stderr bool, to net.Conn) error {
	cfg, _, _, err := b.e.containers.Log(ctx, id)
	if err != nil {
		return nil // a driver that keeps nothing has nothing to replay
	}
	buf := bufio.NewWriterSize(to, replayBuffer)
	var out, errs io.Writer = buf, buf
	if !tty {
		out, errs = logs.Frame(buf, logs.StdoutFrame), logs.Frame(buf, logs.StderrFrame)
	}
	err = logs.Stream(ctx, cfg, logs.Options{Stdout: stdout, Stderr: stderr, Tail: -1}, out, errs)
	return errors.Join(err, buf.Flush())
}

func (b streamBackend) ContainerResize(ctx context.Context, name string, height, width uint16) error {
	return b.e.containers.ContainerResize(ctx, name, height, width)
}

func (b streamBackend) ExecCreate(ctx context.Context, name string, req *apicontainer.ExecCreateRequest) (string, error) {
	return b.e.containers.ExecCreate(ctx, name, req)
}

func (b streamBackend) ExecStart(ctx context.Context, id string, req *apicontainer.ExecStartRequest, hijack func(mux bool) api.Hijack) error {
	return b.e.containers.ExecStart(ctx, id, req, hijacker(hijack))
}

func (b streamBackend) ExecInspect(ctx context.Context, id string) (*apicontainer.ExecInspectResponse, error) {
	return b.e.containers.ExecInspect(ctx, id)
}

func (b streamBackend) ExecResize(ctx context.Context, id string, height, width uint16) error {
	return b.e.containers.ExecResize(ctx, id, height, width)
}
