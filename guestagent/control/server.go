package control

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"sync"

	"github.com/berthhq/berth/internal/agentapi"
)

// maxLinks bounds the control streams: a host agent that was started anew may have left one behind.
const maxLinks = 4

// queued bounds the events that a link has not taken yet; one that takes none is closed, not waited for.
const queued = 64

// Ops is what the guest does for the host.
type Ops map[agentapi.Op]func(ctx context.Context, body json.RawMessage) (any, error)

// On makes an entry of Ops from a function of a request's type.
func On[In any, Out any](do func(context.Context, In) (Out, error)) func(context.Context, json.RawMessage) (any, error) {
	return func(ctx context.Context, body json.RawMessage) (any, error) {
		in, err := agentapi.Decode[In](body)
		if err != nil {
			return nil, err
		}
		return do(ctx, in)
	}
}

// None is the body of a request or answer that has none.
type None struct{}

// Server serves control streams. Its methods may be called from any goroutine.
type Server struct {
	ops     Ops
	welcome func(agentapi.Hello) agentapi.Welcome
	log     func(error)
	// Linked is called for each new link, before anything is asked on it. Set before Serve; may be nil.
	Linked func()

	mu    sync.Mutex
	links []*told // oldest first
}

// told is a link with the events it is still to be told.
type told struct {
	link   *agentapi.Link
	events chan agentapi.Event
}

// New makes a server. welcome answers a host's hello, log hears of streams that went wrong.
func New(ops Ops, welcome func(agentapi.Hello) agentapi.Welcome, log func(error)) *Server {
	return &Server{ops: ops, welcome: welcome, log: log}
}

// Serve takes streams until the listener fails or ctx ends, and returns when all of them have ended.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	var streams sync.WaitGroup
	defer streams.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		streams.Go(func() {
			if err := s.stream(ctx, c); err != nil && ctx.Err() == nil {
				s.log(err)
			}
		})
	}
}

// stream is one control stream from its hello to its end.
func (s *Server) stream(ctx context.Context, c net.Conn) error {
	defer c.Close()
	if _, err := agentapi.Receive(c, s.welcome); err != nil {
		return err
	}
	t := &told{link: agentapi.NewLink(c, s.handle), events: make(chan agentapi.Event, queued)}
	s.add(t)
	defer s.remove(t)
	var teller sync.WaitGroup
	if s.Linked != nil {
		teller.Go(s.Linked)
	}
	teller.Go(func() {
		for {
			select {
			case e := <-t.events:
				if t.link.Tell(agentapi.OpEvent, e) != nil {
					return
				}
			case <-t.link.Done():
				return
			}
		}
	})
	err := t.link.Serve(ctx)
	teller.Wait()
	if errors.Is(err, agentapi.ErrLinkDown) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (s *Server) handle(ctx context.Context, op agentapi.Op, body json.RawMessage) (any, error) {
	do := s.ops[op]
	if do == nil {
		return nil, agentapi.Errorf(agentapi.CodeUnknown, "the virtual machine does not know %q: its image is older than the host agent", op)
	}
	return do(ctx, body)
}

func (s *Server) add(t *told) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links = append(s.links, t)
	if len(s.links) > maxLinks {
		_ = s.links[0].link.Close() // its stream removes it
	}
}

func (s *Server) remove(t *told) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, l := range s.links {
		if l == t {
			s.links = append(s.links[:i:i], s.links[i+1:]...)
			return
		}
	}
}

// Tell tells every host that is linked, without waiting for any.
func (s *Server) Tell(e agentapi.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.links {
		select {
		case t.events <- e:
		default:
			_ = t.link.Close()
		}
	}
}

// ErrNoHost is what Ask fails with while no host agent is linked.
var ErrNoHost = errors.New("no host agent is linked")

// Ask asks the host that was linked last.
func (s *Server) Ask(ctx context.Context, op agentapi.Op, in, out any) error {
	s.mu.Lock()
	var link *agentapi.Link
	if n := len(s.links); n > 0 {
		link = s.links[n-1].link
	}
	s.mu.Unlock()
	if link == nil {
		return ErrNoHost
	}
	return link.Call(ctx, op, in, out)
}
