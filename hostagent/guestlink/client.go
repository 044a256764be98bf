package guestlink

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/internal/agentapi"
	"github.com/berthhq/berth/internal/buildinfo"
)

// Client keeps one guest's control link. Its fields are set before the first call and not changed after; its methods may
// be called from any goroutine.
type Client struct {
	Guest transport.Dialer
	// Features are what this host offers.
	Features []agentapi.Feature
	// Handle answers the guest's requests; nil refuses them all.
	Handle agentapi.Handler
	// Event hears what the guest tells, one after another. May be nil.
	Event func(agentapi.Event)
	// Up is called with each new link, also the first. May be nil.
	Up func(agentapi.Welcome)
	// Every and Lost replace the heartbeat's times in tests; zero means agentapi's.
	Every, Lost time.Duration

	mu   sync.Mutex
	link *agentapi.Link
}

// retryAfter is the pause between attempts to reach a guest that does not answer.
const retryAfter = 200 * time.Millisecond

// Greet says hello on a fresh control stream and waits for the answer. The stream is the caller's.
func (c *Client) Greet(ctx context.Context) (transport.Conn, agentapi.Welcome, error) {
	conn, err := c.Guest.Dial(ctx, agentapi.PortControl)
	if err != nil {
		return nil, agentapi.Welcome{}, err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	w, err := agentapi.Greet(conn, agentapi.Hello{
		Agent: buildinfo.Version(), Features: c.Features, Time: agentapi.Time{UnixNano: time.Now().UnixNano()},
	})
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, w, err
	}
	return conn, w, nil
}

// Answers waits until the guest answers a hello, or says that the two do not understand each other.
func (c *Client) Answers(ctx context.Context) error {
	for {
		conn, _, err := c.Greet(ctx)
		if err == nil {
			return conn.Close()
		}
		if mismatch(err) || !pause(ctx, retryAfter) {
			return err
		}
	}
}

// Run keeps the link until ctx ends, or until the guest turns out to speak another version, which is the error.
func (c *Client) Run(ctx context.Context) error {
	for {
		conn, w, err := c.Greet(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			c.serve(ctx, conn, w)
		case mismatch(err):
			return err
		}
		if !pause(ctx, retryAfter) {
			return nil
		}
	}
}

// serve is one link from its greeting to its end.
func (c *Client) serve(ctx context.Context, conn transport.Conn, w agentapi.Welcome) {
	link := agentapi.NewLink(conn, c.handle)
	c.set(link)
	defer c.set(nil)
	var beat sync.WaitGroup
	beat.Go(func() {
		if c.Up != nil {
			c.Up(w)
		}
		c.heartbeat(ctx, link)
		_ = link.Close()
	})
	_ = link.Serve(ctx) // why it went down is of no use: it is dialled again
	beat.Wait()
}

func (c *Client) set(l *agentapi.Link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link = l
}

func (c *Client) handle(ctx context.Context, op agentapi.Op, body json.RawMessage) (any, error) {
	switch {
	case op == agentapi.OpEvent && c.Event != nil:
		e, err := agentapi.Decode[agentapi.Event](body)
		if err == nil {
			c.Event(e)
		}
		return nil, err
	case c.Handle == nil:
		return nil, agentapi.Errorf(agentapi.CodeUnknown, "this host agent does not know %q", op)
	}
	return c.Handle(ctx, op, body)
}

// maxDrift is how far the guest's clock may be off before it is set. A host that slept, or whose own clock was set,
// shows by it.
const maxDrift = 500 * time.Millisecond

// heartbeat returns when the guest has been silent for too long, or the link or ctx has ended.
func (c *Client) heartbeat(ctx context.Context, link *agentapi.Link) {
	every, lost := cmp.Or(c.Every, agentapi.HeartbeatEvery), cmp.Or(c.Lost, agentapi.HeartbeatLost)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for seq := uint64(1); ; seq++ {
		select {
		case <-ctx.Done():
			return
		case <-link.Done():
			return
		case <-tick.C:
		}
		if !c.beat(ctx, link, seq, lost) {
			return
		}
	}
}

func (c *Client) beat(ctx context.Context, link *agentapi.Link, seq uint64, lost time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, lost)
	defer cancel()
	var pong agentapi.Pong
	sent := time.Now()
	if err := link.Call(ctx, agentapi.OpPing, agentapi.Ping{Seq: seq}, &pong); err != nil {
		return false
	}
	took := time.Since(sent)
	// The guest read its clock somewhere between the question and the answer. Wall clocks only: Round drops the monotonic one.
	middle := sent.Round(0).Add(took / 2)
	if off := time.Unix(0, pong.UnixNano).Sub(middle).Abs(); off > maxDrift+took {
		_ = link.Call(ctx, agentapi.OpTime, agentapi.Time{UnixNano: time.Now().UnixNano()}, nil)
	}
	return true
}

// Call asks the guest. Where there is no link it fails with agentapi.ErrLinkDown.
func (c *Client) Call(ctx context.Context, op agentapi.Op, in, out any) error {
	c.mu.Lock()
	link := c.link
	c.mu.Unlock()
	if link == nil {
		return agentapi.ErrLinkDown
	}
	return link.Call(ctx, op, in, out)
}

// mismatch says that to try again would not help.
func mismatch(err error) bool {
	var e *agentapi.Error
	return errors.As(err, &e) && (e.Code == agentapi.CodeUpdateHost || e.Code == agentapi.CodeUpdateGuest)
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
