package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/berthhq/berth/guestagent/engine/supervisor/keep"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/paths"
	"golang.org/x/sys/unix"
)

// Server holds the containers and answers calls.
type Server struct {
	layout   paths.Layout
	starters []Starter
	keeper   *keep.Client
	log      *log.Logger
	events   events
	clients  clients

	mu         sync.Mutex
	containers map[string]*container
}

// New makes a server. A container is started by the first starter that supports it; the last must support all. Their
// order is part of the records: new ones come last but one. The keeper may be nil.
func New(layout paths.Layout, logger *log.Logger, keeper *keep.Client, starters ...Starter) *Server {
	return &Server{layout: layout, starters: starters, keeper: keeper, log: logger, containers: map[string]*container{}}
}

func (s *Server) starterFor(st *proto.Start) Starter { return s.starters[s.starterIndex(st)] }

func (s *Server) starterIndex(st *proto.Start) int {
	for i, starter := range s.starters {
		if starter.Supports(st) {
			return i
		}
	}
	return len(s.starters) - 1
}

// Listen makes the control socket, which only its owner may connect to. A socket that nobody listens at is replaced.
// Errors: one that says so where another supervisor listens.
func Listen(layout paths.Layout) (*net.UnixListener, error) {
	path := layout.SupervisorSocket()
	if err := os.MkdirAll(filepath.Dir(path), 0o711); err != nil {
		return nil, err
	}
	if c, err := proto.Dial(path); err == nil {
		c.Close()
		return nil, fmt.Errorf("another berth-supervisor listens at %s", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	old := unix.Umask(0o177)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	unix.Umask(old)
	return l, err
}

// Serve answers calls until ctx ends. The containers go on without it.
func (s *Server) Serve(ctx context.Context, l *net.UnixListener) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.AcceptUnix()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accepting at the control socket: %w", err)
		}
		go s.serve(ctx, c)
	}
}

// serve answers the calls of one connection until it ends.
func (s *Server) serve(ctx context.Context, c *net.UnixConn) {
	defer c.Close()
	if err := checkPeer(c); err != nil {
		s.log.Printf("refused a connection: %v", err)
		return
	}
	conn := proto.NewConn(c)
	for {
		var req proto.Request
		files, err := conn.Recv(&req)
		if err != nil {
			return // the peer went away, or sent what is no message: either way nobody waits for an answer
		}
		if req.Op == proto.OpEvents {
			closeFiles(files)
			s.stream(ctx, conn)
			return
		}
		if conn.Send(s.handle(&req, files)) != nil {
			return
		}
	}
}

// stream sends events until either end closes.
func (s *Server) stream(ctx context.Context, conn *proto.Conn) {
	ch := s.events.subscribe()
	defer s.events.unsubscribe(ch)
	if conn.Send(proto.Event{Type: proto.EventSnapshot, Containers: s.states()}) != nil {
		return
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		var b [1]byte
		conn.Unix().Read(b[:]) // the peer sends nothing more: this returns when it closes
	}()
	for {
		select {
		case ev, ok := <-ch:
			if !ok || conn.Send(ev) != nil {
				return
			}
		case <-gone:
			return
		case <-ctx.Done():
			return
		}
	}
}

// checkPeer lets only the supervisor's own user in.
func checkPeer(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	if cerr := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); cerr != nil {
		return cerr
	}
	if err != nil {
		return err
	}
	if int(cred.Uid) != os.Geteuid() && cred.Uid != 0 {
		return fmt.Errorf("user %d (process %d) may not", cred.Uid, cred.Pid)
	}
	return nil
}
