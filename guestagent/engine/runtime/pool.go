//go:build linux

package runtime

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/errdefs"
	"golang.org/x/sys/unix"
)

// maxIdle is how many connections to the supervisor are kept between calls.
const maxIdle = 8

// pool keeps connections to the supervisor's socket; each carries one call at a time.
type pool struct {
	path  string
	start func(context.Context) error // makes sure that a supervisor listens at path

	mu   sync.Mutex
	idle []*proto.Conn
}

// take returns a connection, an idle one where there is one. fresh says that it was dialled just now.
func (p *pool) take(ctx context.Context) (c *proto.Conn, fresh bool, err error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		c = p.idle[n-1]
		p.idle = p.idle[:n-1]
	}
	p.mu.Unlock()
	if c != nil {
		return c, false, nil
	}
	c, err = proto.Dial(p.path)
	if err == nil {
		return c, true, nil
	}
	if !absent(err) {
		return nil, false, errdefs.System("connecting to berth-supervisor at %s: %w", p.path, err)
	}
	if err := p.start(ctx); err != nil {
		return nil, false, err
	}
	if c, err = proto.Dial(p.path); err != nil {
		return nil, false, errdefs.System("connecting to berth-supervisor at %s: %w", p.path, err)
	}
	return c, true, nil
}

func (p *pool) put(c *proto.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) >= maxIdle {
		c.Close()
		return
	}
	p.idle = append(p.idle, c)
}

// drop closes what is idle: the supervisor at the other end is gone.
func (p *pool) drop() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		c.Close()
	}
}

// absent tells that nobody listens at a socket.
func absent(err error) bool {
	return errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, os.ErrNotExist)
}

// call sends one request and reads its answer. A request that met a connection gone stale before anything was sent is
// sent once more on a new one; one that was sent is not, since it may have been carried out.
func (p *pool) call(ctx context.Context, req *proto.Request, fds ...int) (*proto.Response, error) {
	for {
		c, fresh, err := p.take(ctx)
		if err != nil {
			return nil, err
		}
		resp, sent, err := exchange(ctx, c, req, fds)
		if err == nil {
			p.put(c)
			if resp.Error != nil {
				return nil, translate(resp.Error)
			}
			return resp, nil
		}
		c.Close()
		if !fresh && !sent && ctx.Err() == nil {
			p.drop()
			continue
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, errdefs.Unavailable("berth-supervisor did not answer %s: %w", req.Op, err)
	}
}

// exchange is one request and its answer on c; when ctx ends first the connection is cut. sent says that the peer may
// have seen the request.
func exchange(ctx context.Context, c *proto.Conn, req *proto.Request, fds []int) (resp *proto.Response, sent bool, err error) {
	stop := context.AfterFunc(ctx, func() { c.Unix().SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := c.Send(req, fds...); err != nil {
		return nil, false, err
	}
	resp = &proto.Response{}
	files, err := c.Recv(resp)
	for _, f := range files {
		f.Close()
	}
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && req.Op != proto.OpStart && req.Op != proto.OpExec {
		return nil, false, err // the peer had gone before it read; these calls may be made twice without harm
	}
	return resp, true, err
}
