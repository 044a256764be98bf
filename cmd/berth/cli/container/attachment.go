package container

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"

	"github.com/moby/moby/client"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/stream"
)

// attachment is the terminal, or the pipes, of this process joined to a hijacked connection.
type attachment struct {
	done    chan error // the result of the copying, once
	cancel  context.CancelFunc
	restore func() // gives the terminal back; more than one call is well
	conn    client.HijackedResponse
}

// streamsWanted says what is carried.
type streamsWanted struct {
	stdin, stdout, stderr, tty bool
	detachKeys                 string
}

// peer makes a hijacked response a stream.Peer: reads must go through its buffer.
type peer struct {
	net.Conn
	r *bufio.Reader
	h client.HijackedResponse
}

func (p peer) Read(b []byte) (int, error) { return p.r.Read(b) }

func (p peer) CloseWrite() error { return p.h.CloseWrite() }

// join begins to copy. A terminal is put into raw mode where the container has one and input is attached.
func join(ctx context.Context, s *session.Session, conn client.HijackedResponse, w streamsWanted) (*attachment, error) {
	a := &attachment{done: make(chan error, 1), restore: func() {}, conn: conn}
	if w.stdin && w.tty {
		if err := rawTerminal(s); err != nil {
			conn.Close()
			return nil, err
		}
		a.restore = sync.OnceFunc(func() {
			s.In.RestoreTerminal()
			s.Out.RestoreTerminal()
		})
	}
	st := stream.Session{TTY: w.tty, DetachKeys: w.detachKeys}
	if w.stdin {
		st.In = s.In
	}
	if w.stdout {
		st.Out = s.Out
	}
	if w.stderr {
		st.Err = s.Err
		if w.tty {
			st.Err = s.Out
		}
	}
	ctx, a.cancel = context.WithCancel(ctx)
	go func() {
		err := st.Copy(ctx, peer{conn.Conn, conn.Reader, conn})
		a.restore() // as soon as the connection ends, so that what is printed next is printed well
		a.done <- err
	}()
	return a, nil
}

func rawTerminal(s *session.Session) error {
	if err := s.In.SetRawTerminal(); err != nil {
		return fmt.Errorf("setting the terminal to raw mode: %w", err)
	}
	if err := s.Out.SetRawTerminal(); err != nil {
		s.In.RestoreTerminal()
		return fmt.Errorf("setting the terminal to raw mode: %w", err)
	}
	return nil
}

// close ends the copying and gives the terminal back.
func (a *attachment) close() {
	a.cancel()
	a.restore()
	a.conn.Close()
}

// ended turns the result of the copying into what the command returns: nil where the person detached. A connection
// that breaks in the middle counts as its end: what the container's state is, the engine says.
func ended(err error) (detached bool, _ error) {
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return false, nil
	case errors.Is(err, stream.ErrDetached):
		return true, nil
	}
	return false, err
}

// watchSize keeps the size of the container's terminal that of this one, until ctx ends.
func watchSize(ctx context.Context, s *session.Session, resize func(context.Context, client.ContainerResizeOptions) error) {
	if !s.Out.IsTerminal() {
		return
	}
	changed := sizeChanges(ctx)
	go func() {
		var height, width uint
		for {
			h, w := s.Out.GetTtySize()
			if (h != height || w != width) && (h != 0 || w != 0) {
				// The process may not have its terminal yet: the next change, or docker's own retry, tells it.
				if resize(ctx, client.ContainerResizeOptions{Height: h, Width: w}) == nil || runtime.GOOS == "windows" {
					height, width = h, w
				}
			}
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
		}
	}()
}
