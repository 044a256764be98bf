package portforward

import (
	"context"
	"net"
	"time"

	"github.com/berthhq/berth/hostagent/transport"
)

// listenTCP listens and serves until the listener is closed.
func (f *Forwarder) listenTCP(ctx context.Context, k key, pub *published) error {
	l, err := net.Listen(k.network(), k.String())
	if err != nil {
		return err
	}
	pub.close = l
	pub.parts.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				if ctx.Err() != nil || !temporary(ctx, err) {
					return
				}
				continue
			}
			pub.parts.Go(func() { f.serveTCP(ctx, pub, c.(*net.TCPConn)) })
		}
	})
	return nil
}

// temporary waits out an Accept that failed for want of descriptors; anything else is the listener's end.
func temporary(ctx context.Context, err error) bool {
	if ne, ok := err.(interface{ Temporary() bool }); !ok || !ne.Temporary() {
		return false
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(50 * time.Millisecond):
		return true
	}
}

// serveTCP is one connection. A client that the guest does not take is reset, as a port with nobody behind it does.
func (f *Forwarder) serveTCP(ctx context.Context, pub *published, c *net.TCPConn) {
	defer c.Close()
	s, err := f.dial(ctx, pub.port, c.RemoteAddr())
	if err != nil {
		_ = c.SetLinger(0)
		return
	}
	defer s.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.Close(); _ = s.Close() })
	defer stop()
	transport.Splice(c, s)
}
