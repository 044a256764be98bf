package dockerproxy

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/internal/agentapi"
)

// Proxy serves connections. Its fields are set before Serve.
type Proxy struct {
	// Guest gives what reaches the guest, after it has started the machine if need be. Its error is told to the client.
	Guest func(context.Context) (transport.Dialer, error)

	open atomic.Int64
}

// Open is how many connections there are now.
func (p *Proxy) Open() int64 { return p.open.Load() }

// Serve takes connections until ctx ends or the listener fails, and returns when all of them have ended; the end of ctx
// cuts them. The listener is closed.
func (p *Proxy) Serve(ctx context.Context, l net.Listener) error {
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	var all sync.WaitGroup
	defer all.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		client, ok := c.(conn)
		if !ok {
			_ = c.Close()
			return errors.New("this listener's connections have no halves")
		}
		all.Go(func() { p.serve(ctx, client) })
	}
}

// conn is a connection each half of which ends by itself: of a unix socket, of TCP, of a stream to the guest.
type conn interface {
	net.Conn
	CloseWrite() error
}

func (p *Proxy) serve(ctx context.Context, client conn) {
	p.open.Add(1)
	defer p.open.Add(-1)
	defer client.Close()
	guest, err := p.Guest(ctx)
	if err != nil {
		refuse(client, err)
		return
	}
	engine, err := guest.Dial(ctx, agentapi.PortDocker)
	if err != nil {
		refuse(client, err)
		return
	}
	defer engine.Close()
	stop := context.AfterFunc(ctx, func() { _ = client.Close(); _ = engine.Close() })
	defer stop()
	splice(client, engine)
}

// splice carries bytes both ways until both have ended. The end of one side's stream becomes the end of the other's;
// where a side is cut, so is the other.
func splice(a, b conn) {
	var both sync.WaitGroup
	both.Go(func() { carry(a, b) })
	both.Go(func() { carry(b, a) })
	both.Wait()
}

func carry(to, from conn) {
	_, err := io.Copy(to, from)
	if err == nil {
		err = to.CloseWrite()
	}
	if err != nil { // what is cut on one side must not look finished on the other
		_ = to.Close()
		_ = from.Close()
	}
}
