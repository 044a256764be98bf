package ports

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/berthhq/berth/internal/agentapi"
)

// Broker knows the ports. Its methods may be called from any goroutine.
type Broker struct {
	// Ask asks the host.
	Ask func(ctx context.Context, op agentapi.Op, p agentapi.Port) error
	// NoHost says of an error of Ask that there is no host to ask now: it will be told when it comes.
	NoHost func(error) bool
	// Pass carries a question about the host's files of the engine to the host as it is.
	Pass func(ctx context.Context, op agentapi.Op, body json.RawMessage) (json.RawMessage, error)
	// Log hears of ports that a host which came anew does not take. May be nil.
	Log func(error)

	mu   sync.Mutex
	open map[agentapi.Port]netip.AddrPort
}

const (
	askWithin     = 20 * time.Second // for the host's answer
	requestWithin = 30 * time.Second // for all of the engine's request
	maxPorts      = 1 << 16
)

// Serve takes the engine's requests until the listener is closed.
func (b *Broker) Serve(ctx context.Context, l net.Listener) {
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go b.request(ctx, c)
	}
}

// request answers one.
func (b *Broker) request(ctx context.Context, c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(requestWithin))
	var f agentapi.Frame
	if agentapi.ReadFrame(c, &f) != nil {
		return
	}
	out := agentapi.Frame{ID: f.ID}
	var err error
	if out.Body, err = b.do(ctx, f); err != nil {
		var e *agentapi.Error
		if !errors.As(err, &e) {
			e = agentapi.Errorf(agentapi.CodeFailed, "%s", err.Error())
		}
		out.Error = e
	}
	_ = agentapi.WriteFrame(c, out) // an engine that has gone asks again
}

func (b *Broker) do(ctx context.Context, f agentapi.Frame) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	switch f.Op {
	case agentapi.OpPortOpen, agentapi.OpPortClose:
	case agentapi.OpPath:
		return b.Pass(ctx, f.Op, f.Body)
	default:
		return nil, agentapi.Errorf(agentapi.CodeUnknown, "the guest agent does not know %q", f.Op)
	}
	p, err := agentapi.Decode[agentapi.Publish](f.Body)
	if err != nil {
		return nil, err
	}
	if f.Op == agentapi.OpPortClose {
		return nil, b.withdraw(ctx, p.Port)
	}
	return nil, b.publish(ctx, p)
}

// publish asks the host for a port. Of one that is open already only the target changes.
func (b *Broker) publish(ctx context.Context, p agentapi.Publish) error {
	target, err := netip.ParseAddrPort(p.Target)
	if err != nil {
		return agentapi.Errorf(agentapi.CodeInvalid, "target %q of port %d is no address with a port", p.Target, p.Port.Port)
	}
	b.mu.Lock()
	_, is := b.open[p.Port]
	full := len(b.open) >= maxPorts
	b.mu.Unlock()
	if !is {
		if full {
			return agentapi.Errorf(agentapi.CodeFailed, "more than %d ports are published", maxPorts)
		}
		if err := b.Ask(ctx, agentapi.OpPortOpen, p.Port); err != nil && !b.NoHost(err) {
			return err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil {
		b.open = map[agentapi.Port]netip.AddrPort{}
	}
	b.open[p.Port] = target
	return nil
}

func (b *Broker) withdraw(ctx context.Context, p agentapi.Port) error {
	b.mu.Lock()
	_, is := b.open[p]
	delete(b.open, p)
	b.mu.Unlock()
	if !is {
		return nil
	}
	if err := b.Ask(ctx, agentapi.OpPortClose, p); err != nil && !b.NoHost(err) {
		return err
	}
	return nil
}

// Again tells a host that came anew of all ports.
func (b *Broker) Again(ctx context.Context) {
	b.mu.Lock()
	var all []agentapi.Port
	for p := range b.open {
		all = append(all, p)
	}
	b.mu.Unlock()
	for _, p := range all {
		ask, cancel := context.WithTimeout(ctx, askWithin)
		err := b.Ask(ask, agentapi.OpPortOpen, p)
		cancel()
		if err != nil && b.Log != nil {
			b.Log(err)
		}
	}
}

// target is where a port's connections go.
func (b *Broker) target(p agentapi.Port) (netip.AddrPort, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, ok := b.open[p]
	return t, ok
}
