package dockerproxy

import (
	"context"
	"errors"
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
		client, ok := c.(transport.Half)
		if !ok {
			_ = c.Close()
			return errors.New("this listener's connections have no halves")
		}
		all.Go(func() { p.serve(ctx, client) })
	}
}

func (p *Proxy) serve(ctx context.Context, client transport.Half) {
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
	transport.Splice(client, engine)
}
