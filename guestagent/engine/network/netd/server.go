//go:build linux

package netd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/guestagent/engine/network/netdproto"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
)

// idleExit is how long a netd without a client and without anything to serve stays.
const idleExit = time.Minute

// Config says where a server listens and keeps its state.
type Config struct {
	Socket     string // control socket, made with mode 0600
	State      string // JSON file
	ResolvConf string // the host's; empty: /etc/resolv.conf
	Log        *slog.Logger
}

// Server serves sandboxes. Lock order: Server.mu, then the locks of what it owns.
type Server struct {
	cfg   Config
	names *names
	saver *saver

	mu      sync.Mutex
	serving map[string]*serving
	clients int
	active  time.Time // when the last client or sandbox went away
	stop    context.CancelFunc
}

// serving is one sandbox and its sockets.
type serving struct {
	rec   netdproto.Sandbox
	ports map[portKey]*holder
	dns   *resolver
}

// Run serves until ctx ends, a client says stop, or nobody needs it any more. Sockets close then; the state stays.
func Run(ctx context.Context, cfg Config) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s := &Server{cfg: cfg, names: newNames(cfg.ResolvConf), saver: newSaver(cfg.State), serving: map[string]*serving{}, active: time.Now(), stop: stop}
	l, err := listen(cfg.Socket)
	if err != nil {
		return err
	}
	defer l.Close()
	if err := s.restore(); err != nil {
		cfg.Log.Warn("the state of the last berth-netd is not usable", "err", err)
	}
	context.AfterFunc(ctx, func() { l.Close() })
	var wg sync.WaitGroup
	wg.Go(func() { s.exitWhenIdle(ctx) })
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			break
		}
		wg.Go(func() { s.serveClient(ctx, c) })
	}
	stopped := ctx.Err() != nil
	stop()
	wg.Wait()
	s.closeAll()
	if err := s.saver.close(); err != nil {
		return err
	}
	if !stopped {
		return fmt.Errorf("%s: %w", cfg.Socket, err)
	}
	return nil
}

// listen takes the socket over from a netd that died; one that answers keeps it.
func listen(path string) (*net.UnixListener, error) {
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("another berth-netd serves %s", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	old := unix.Umask(0o177)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	unix.Umask(old)
	return l, err
}

func (s *Server) exitWhenIdle(ctx context.Context) {
	tick := time.NewTicker(idleExit / 6)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.mu.Lock()
		idle := s.clients == 0 && len(s.serving) == 0 && time.Since(s.active) > idleExit
		s.mu.Unlock()
		if idle {
			s.stop()
			return
		}
	}
}

func (s *Server) serveClient(ctx context.Context, c *net.UnixConn) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	s.countClient(1)
	defer s.countClient(-1)
	conn := proto.NewConn(c)
	for {
		var req netdproto.Request
		files, err := conn.Recv(&req)
		for _, f := range files {
			f.Close()
		}
		if err != nil {
			return
		}
		resp := s.handle(req)
		if err := conn.Send(resp); err != nil {
			return
		}
		if req.Op == netdproto.OpStop {
			s.stop()
			return
		}
	}
}

func (s *Server) countClient(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients += n
	s.active = time.Now()
}

func (s *Server) handle(req netdproto.Request) netdproto.Response {
	var resp netdproto.Response
	var err error
	switch req.Op {
	case netdproto.OpHello:
		resp.Version, resp.Pid = netdproto.Version, os.Getpid()
	case netdproto.OpPut:
		resp.Ports, err = s.put(req.Sandbox)
	case netdproto.OpDrop:
		s.drop(req.ID)
	case netdproto.OpKeep:
		s.keep(req.IDs)
	case netdproto.OpList:
		resp.Sandboxes = s.list()
	case netdproto.OpStop:
	default:
		err = &netdproto.Error{Code: netdproto.CodeInvalid, Message: fmt.Sprintf("unknown call %q", req.Op)}
	}
	if err != nil && !errors.As(err, &resp.Error) {
		resp.Error = &netdproto.Error{Code: netdproto.CodeInternal, Message: err.Error()}
	}
	return resp
}
