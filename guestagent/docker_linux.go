package guestagent

import (
	"context"
	"net"
	"time"
)

// engineWait is how long a stream of the Docker API waits for the engine's socket: the guest boots, or the engine was
// killed and is being started again.
const engineWait = 3 * time.Minute

// serveDocker gives each stream of the host a connection to the engine's socket.
func serveDocker(ctx context.Context, l net.Listener, socket string) {
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			s, ok := c.(stream)
			if !ok {
				_ = c.Close()
				return
			}
			e, err := dialEngine(ctx, socket)
			if err != nil {
				_ = c.Close()
				return
			}
			splice(s, e)
		}()
	}
}

func dialEngine(ctx context.Context, socket string) (*net.UnixConn, error) {
	ctx, cancel := context.WithTimeout(ctx, engineWait)
	defer cancel()
	var d net.Dialer
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		c, err := d.DialContext(ctx, "unix", socket)
		if err == nil {
			return c.(*net.UnixConn), nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(pause):
		}
	}
}
