package control

import (
	"context"
	"encoding/json"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/berthhq/berth/internal/agentapi"
)

// world is a server on a unix socket, which has half-close and back-pressure as vsock has.
func world(t *testing.T, ops Ops) (*Server, func() *agentapi.Link, chan agentapi.Event) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "control")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := New(ops, func(h agentapi.Hello) agentapi.Welcome { return agentapi.Welcome{Boot: "b", Agent: h.Agent} }, func(err error) { t.Log(err) })
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	events := make(chan agentapi.Event, 1000)
	dial := func() *agentapi.Link {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if w, err := agentapi.Greet(c, agentapi.Hello{Agent: "h"}); err != nil || w.Boot != "b" || w.Agent != "h" {
			t.Fatalf("welcome: %+v %v", w, err)
		}
		link := agentapi.NewLink(c, func(_ context.Context, _ agentapi.Op, body json.RawMessage) (any, error) {
			e, err := agentapi.Decode[agentapi.Event](body)
			events <- e
			return nil, err
		})
		go func() { _ = link.Serve(ctx) }()
		return link
	}
	return s, dial, events
}

func ping() Ops {
	return Ops{agentapi.OpPing: On(func(_ context.Context, p agentapi.Ping) (agentapi.Pong, error) {
		return agentapi.Pong{Seq: p.Seq}, nil
	})}
}

func TestOpsAreAnsweredAndOthersAreUnknown(t *testing.T) {
	_, dial, _ := world(t, ping())
	link := dial()
	var p agentapi.Pong
	if err := link.Call(t.Context(), agentapi.OpPing, agentapi.Ping{Seq: 3}, &p); err != nil || p.Seq != 3 {
		t.Errorf("ping: %+v %v", p, err)
	}
	if err := link.Call(t.Context(), "tomorrow", nil, nil); agentapi.CodeOf(err) != agentapi.CodeUnknown {
		t.Errorf("unknown op: %v", err)
	}
	if err := link.Call(t.Context(), agentapi.OpPing, "no object", nil); agentapi.CodeOf(err) != agentapi.CodeInvalid {
		t.Errorf("a body of another type: %v", err)
	}
}

func TestEveryLinkIsTold(t *testing.T) {
	s, dial, events := world(t, ping())
	for range 2 {
		if err := dial().Call(t.Context(), agentapi.OpPing, nil, nil); err != nil { // it is linked now
			t.Fatal(err)
		}
	}
	s.Tell(agentapi.Event{Kind: agentapi.EventReady})
	for range 2 {
		select {
		case e := <-events:
			if e.Kind != agentapi.EventReady {
				t.Errorf("event %+v", e)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("a link was not told")
		}
	}
}

func TestTheOldestLinkGivesWay(t *testing.T) {
	_, dial, _ := world(t, ping())
	var links []*agentapi.Link
	for range maxLinks + 1 {
		l := dial()
		if err := l.Call(t.Context(), agentapi.OpPing, nil, nil); err != nil {
			t.Fatal(err)
		}
		links = append(links, l)
	}
	select {
	case <-links[0].Done():
	case <-time.After(5 * time.Second):
		t.Fatal("the oldest link is still there")
	}
	if err := links[1].Call(t.Context(), agentapi.OpPing, nil, nil); err != nil {
		t.Errorf("the second link: %v", err)
	}
}

func TestAHostThatReadsNothingDoesNotStopEvents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := New(ping(), func(agentapi.Hello) agentapi.Welcome { return agentapi.Welcome{} }, func(error) {})
	done := make(chan struct{})
	go func() { _ = s.Serve(ctx, l); close(done) }()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := agentapi.Greet(c, agentapi.Hello{}); err != nil {
		t.Fatal(err)
	}
	big := agentapi.Event{Message: string(make([]byte, 4096))}
	began := time.Now()
	for range 5000 {
		s.Tell(big)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("5000 events took %s", took)
	}
	cancel()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("the server does not end")
	}
}
