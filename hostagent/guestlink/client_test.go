package guestlink_test

import (
	"context"
	"encoding/json"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/berthhq/berth/hostagent/guestlink"
	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/internal/agentapi"
)

// guest answers control streams; it is the guest half of the protocol on a pipe.
type guest struct {
	clock atomic.Int64 // nanoseconds that its clock is off
	mute  atomic.Bool  // pings get no answer
	max   int          // the newest version it knows; 0: this one
	links chan *agentapi.Link
	set   chan time.Time // the host set the clock
}

func newGuest() *guest {
	return &guest{links: make(chan *agentapi.Link, 8), set: make(chan time.Time, 8)}
}

type pipe struct{ net.Conn }

func (pipe) CloseWrite() error { return nil }

func (g *guest) Dial(ctx context.Context, port uint32) (transport.Conn, error) {
	here, there := net.Pipe()
	go func() {
		if g.max < 0 {
			var f agentapi.Frame
			_ = agentapi.ReadFrame(there, &f)
			_ = agentapi.WriteFrame(there, agentapi.Frame{ID: f.ID, Error: agentapi.Errorf(agentapi.CodeUpdateGuest, "update the virtual machine's image")})
			return
		}
		if _, err := agentapi.Receive(there, func(agentapi.Hello) agentapi.Welcome { return agentapi.Welcome{Agent: "test", Boot: "1"} }); err != nil {
			there.Close()
			return
		}
		l := agentapi.NewLink(there, g.handle)
		g.links <- l
		_ = l.Serve(context.Background())
	}()
	return pipe{here}, nil
}

func (g *guest) handle(ctx context.Context, op agentapi.Op, body json.RawMessage) (any, error) {
	switch op {
	case agentapi.OpPing:
		if g.mute.Load() {
			<-ctx.Done()
		}
		return agentapi.Pong{UnixNano: time.Now().UnixNano() + g.clock.Load()}, nil
	case agentapi.OpTime:
		t, err := agentapi.Decode[agentapi.Time](body)
		g.clock.Store(0)
		g.set <- time.Unix(0, t.UnixNano)
		return nil, err
	}
	return nil, agentapi.Errorf(agentapi.CodeUnknown, "unknown")
}

// run keeps a client's link as long as the test.
func run(t *testing.T, c *guestlink.Client) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { _ = c.Run(ctx) })
	t.Cleanup(func() { cancel(); done.Wait() })
}

func (g *guest) linked(t *testing.T) *agentapi.Link {
	t.Helper()
	select {
	case l := <-g.links:
		return l
	case <-time.After(10 * time.Second):
		t.Fatal("no link")
		return nil
	}
}

func TestALostLinkIsMadeAnew(t *testing.T) {
	g, ups := newGuest(), make(chan agentapi.Welcome, 8)
	run(t, &guestlink.Client{Guest: g, Up: func(w agentapi.Welcome) { ups <- w }})
	for range 3 {
		l := g.linked(t)
		if w := <-ups; w.Agent != "test" {
			t.Fatalf("welcome %+v", w)
		}
		l.Close()
	}
}

func TestASilentGuestLosesItsLink(t *testing.T) {
	g := newGuest()
	run(t, &guestlink.Client{Guest: g, Every: 5 * time.Millisecond, Lost: 50 * time.Millisecond})
	first := g.linked(t)
	g.mute.Store(true)
	g.linked(t)
	select {
	case <-first.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the link of a silent guest stays")
	}
}

func TestTheGuestsClockIsSetRight(t *testing.T) {
	g := newGuest()
	g.clock.Store(int64(-24 * time.Hour))
	run(t, &guestlink.Client{Guest: g, Every: 5 * time.Millisecond})
	select {
	case at := <-g.set:
		if off := time.Since(at).Abs(); off > 10*time.Second {
			t.Errorf("set to %s", at)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("a day behind, and nobody sets the clock")
	}
	select {
	case at := <-g.set:
		t.Errorf("set again, to %s", at)
	case <-time.After(100 * time.Millisecond):
	}
}

func TestEventsAndRequestsOfTheGuestArrive(t *testing.T) {
	g, events := newGuest(), make(chan agentapi.Event, 1)
	c := &guestlink.Client{
		Guest: g, Event: func(e agentapi.Event) { events <- e },
		Handle: func(_ context.Context, op agentapi.Op, body json.RawMessage) (any, error) {
			p, err := agentapi.Decode[agentapi.Port](body)
			if err == nil && op == agentapi.OpPortOpen && p.Port == 80 {
				err = agentapi.Errorf(agentapi.CodeTaken, "port 80 is taken")
			}
			return nil, err
		},
	}
	if err := c.Call(t.Context(), agentapi.OpPing, nil, nil); err != agentapi.ErrLinkDown {
		t.Errorf("before there is a link: %v", err)
	}
	run(t, c)
	l := g.linked(t)
	if err := l.Tell(agentapi.OpEvent, agentapi.Event{Kind: agentapi.EventReady}); err != nil {
		t.Fatal(err)
	}
	if e := <-events; e.Kind != agentapi.EventReady {
		t.Errorf("event %+v", e)
	}
	if err := l.Call(t.Context(), agentapi.OpPortOpen, agentapi.Port{Port: 80}, nil); agentapi.CodeOf(err) != agentapi.CodeTaken {
		t.Errorf("port 80: %v", err)
	}
	if err := l.Call(t.Context(), agentapi.OpPortOpen, agentapi.Port{Port: 81}, nil); err != nil {
		t.Errorf("port 81: %v", err)
	}
}

func TestAnotherVersionEndsIt(t *testing.T) {
	g := newGuest()
	g.max = -1
	c := &guestlink.Client{Guest: g}
	for name, do := range map[string]func(context.Context) error{"run": c.Run, "answers": c.Answers} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if err := do(ctx); agentapi.CodeOf(err) != agentapi.CodeUpdateGuest {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}
