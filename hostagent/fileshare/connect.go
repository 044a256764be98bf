package fileshare

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/berthhq/berth/internal/fusewire"
)

// Dial opens a stream to the guest's relay.
type Dial func(ctx context.Context) (io.ReadWriteCloser, error)

// Link says how a server is connected.
type Link struct {
	Dial    Dial
	Share   string // the name that it is mounted under in the guest
	Session string // differs from that of every other server
	Workers int
	Report  func(error) // of a stream that ended; it is opened again
}

const (
	redialFirst = 50 * time.Millisecond
	redialMax   = 2 * time.Second
)

// Connect opens the streams, and opens those again that end, until ctx does. It returns once all of them are there, or
// the first cannot be opened. The returned function waits for their end; it is to be called after ctx's.
func (s *Server) Connect(ctx context.Context, l Link) (wait func(), err error) {
	var all sync.WaitGroup
	for i := range l.Workers + 1 {
		role := fusewire.RoleWorker
		if i == 0 {
			role = fusewire.RoleNotify
		}
		c, err := s.greet(ctx, l, role)
		if err != nil {
			return all.Wait, err
		}
		all.Add(1)
		go func() {
			defer all.Done()
			s.keep(ctx, l, role, c)
		}()
	}
	return all.Wait, nil
}

func (s *Server) greet(ctx context.Context, l Link, role string) (io.ReadWriteCloser, error) {
	c, err := l.Dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("share %s: reaching the guest: %w", l.Share, err)
	}
	if err := fusewire.Greet(c, s.Hello(role, l.Share, l.Session)); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// keep serves a stream, and then the next.
func (s *Server) keep(ctx context.Context, l Link, role string, c io.ReadWriteCloser) {
	pause := redialFirst
	for ctx.Err() == nil {
		var err error
		if c == nil {
			c, err = s.greet(ctx, l, role)
		}
		if err == nil {
			err = s.serve(ctx, role, c)
			c, pause = nil, redialFirst
		}
		if err != nil && ctx.Err() == nil {
			l.Report(err)
		}
		select {
		case <-ctx.Done():
		case <-s.closing:
			return
		case <-time.After(pause):
			pause = min(pause*2, redialMax)
		}
	}
}

func (s *Server) serve(ctx context.Context, role string, c io.ReadWriteCloser) error {
	defer func() { _ = c.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	if role == fusewire.RoleNotify {
		return s.ServeNotify(c)
	}
	return s.ServeWorker(c)
}

// End makes the guest unmount the share.
func (s *Server) End() { s.notices.send(fusewire.FrameEnd, nil) }
