package agentapi

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// pair is two links that are connected, both serving.
func pair(t *testing.T, host, guest Handler) (*Link, *Link) {
	t.Helper()
	a, b := net.Pipe()
	h, g := NewLink(a, host), NewLink(b, guest)
	var served sync.WaitGroup
	for _, l := range []*Link{h, g} {
		served.Go(func() { _ = l.Serve(context.Background()) })
	}
	t.Cleanup(func() { h.Close(); g.Close(); served.Wait() })
	return h, g
}

func refuse(context.Context, Op, json.RawMessage) (any, error) {
	return nil, Errorf(CodeUnknown, "no such op")
}

func TestBothEndsAskAtOnce(t *testing.T) {
	echo := func(_ context.Context, op Op, body json.RawMessage) (any, error) {
		p, err := Decode[Ping](body)
		return Pong{Seq: p.Seq + 1}, err
	}
	h, g := pair(t, echo, echo)
	var all sync.WaitGroup
	for i := range uint64(200) {
		for _, l := range []*Link{h, g} {
			all.Go(func() {
				var out Pong
				if err := l.Call(t.Context(), OpPing, Ping{Seq: i}, &out); err != nil || out.Seq != i+1 {
					t.Errorf("ping %d: %+v %v", i, out, err)
				}
			})
		}
	}
	all.Wait()
}

func TestErrorsKeepTheirCode(t *testing.T) {
	h, _ := pair(t, refuse, func(_ context.Context, op Op, _ json.RawMessage) (any, error) {
		if op == OpDisk {
			return nil, errors.New("plain")
		}
		return refuse(context.Background(), op, nil)
	})
	if err := h.Call(t.Context(), "future", nil, nil); CodeOf(err) != CodeUnknown {
		t.Errorf("unknown op: %v", err)
	}
	if err := h.Call(t.Context(), OpDisk, nil, nil); CodeOf(err) != CodeFailed || err.Error() != "plain" {
		t.Errorf("plain error: %v", err)
	}
}

func TestEventsComeInOrder(t *testing.T) {
	got := make(chan string, 100)
	_, g := pair(t, func(_ context.Context, _ Op, body json.RawMessage) (any, error) {
		e, err := Decode[Event](body)
		got <- e.Message
		return nil, err
	}, refuse)
	for i := range 100 {
		if err := g.Tell(OpEvent, Event{Message: string(rune('a' + i%26))}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 100 {
		if m := <-got; m != string(rune('a'+i%26)) {
			t.Fatalf("event %d is %q", i, m)
		}
	}
}

func TestLossOfTheStreamEndsCalls(t *testing.T) {
	asked := make(chan struct{})
	h, g := pair(t, refuse, func(ctx context.Context, _ Op, _ json.RawMessage) (any, error) {
		close(asked)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	go func() { <-asked; g.Close() }()
	if err := h.Call(t.Context(), OpStatus, nil, nil); !errors.Is(err, ErrLinkDown) {
		t.Errorf("call over a lost link: %v", err)
	}
	if err := h.Call(t.Context(), OpStatus, nil, nil); !errors.Is(err, ErrLinkDown) {
		t.Errorf("call after it: %v", err)
	}
}

func TestTooLargeAMessageIsRefusedAndTheLinkLives(t *testing.T) {
	h, _ := pair(t, refuse, func(_ context.Context, op Op, _ json.RawMessage) (any, error) {
		if op == OpStatus {
			return strings.Repeat("x", MaxFrame), nil
		}
		return Pong{Seq: 7}, nil
	})
	if err := h.Call(t.Context(), OpMount, Mount{Target: strings.Repeat("x", MaxFrame)}, nil); err == nil || errors.Is(err, ErrLinkDown) {
		t.Errorf("large request: %v", err)
	}
	if err := h.Call(t.Context(), OpStatus, nil, nil); err == nil || !strings.Contains(err.Error(), "over the limit") {
		t.Errorf("large answer: %v", err)
	}
	var p Pong
	if err := h.Call(t.Context(), OpPing, nil, &p); err != nil || p.Seq != 7 {
		t.Errorf("ping afterwards: %+v %v", p, err)
	}
}

func TestHandshake(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	go func() {
		_, _ = Receive(b, func(h Hello) Welcome { return Welcome{Agent: "guest of " + h.Agent, Boot: "1"} })
	}()
	w, err := Greet(a, Hello{Agent: "host"})
	if err != nil || w.Version != MaxVersion || w.Agent != "guest of host" {
		t.Fatalf("welcome: %+v %v", w, err)
	}
}

func TestVersionsThatDoNotMeetSayWhichToUpdate(t *testing.T) {
	for _, c := range []struct {
		low, high, hostMin, hostMax, want int
		code                              Code
		says                              string
	}{
		{low: 1, high: 1, hostMin: 1, hostMax: 1, want: 1},
		{low: 1, high: 2, hostMin: 1, hostMax: 1, want: 1},
		{low: 1, high: 1, hostMin: 1, hostMax: 3, want: 1},
		{low: 2, high: 4, hostMin: 1, hostMax: 3, want: 3},
		{low: 2, high: 3, hostMin: 1, hostMax: 1, code: CodeUpdateHost, says: "update berth on the host"},
		{low: 1, high: 1, hostMin: 2, hostMax: 3, code: CodeUpdateGuest, says: "update the virtual machine's image"},
		{low: 1, high: 1, hostMin: 3, hostMax: 2, code: CodeInvalid, says: "make no sense"},
	} {
		got, err := agree(Hello{Min: c.hostMin, Max: c.hostMax, Agent: "x"}, c.low, c.high)
		if got != c.want || (c.code != "" && (CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says))) || (c.code == "" && err != nil) {
			t.Errorf("%+v: %d %v", c, got, err)
		}
	}
}

func TestAFirstFrameThatIsNoHelloIsAnswered(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	go func() {
		_, _ = Receive(b, func(Hello) Welcome { return Welcome{} })
		b.Close()
	}()
	_ = a.SetDeadline(time.Now().Add(5 * time.Second))
	if err := WriteFrame(a, Frame{ID: 9, Op: OpPing}); err != nil {
		t.Fatal(err)
	}
	var f Frame
	if err := ReadFrame(a, &f); err != nil || f.ID != 9 || f.Error == nil || f.Error.Code != CodeInvalid {
		t.Fatalf("%+v %v", f, err)
	}
}

func FuzzReadFrame(f *testing.F) {
	frame := func(s string) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...) }
	f.Add(frame(`{"id":1,"op":"hello","body":{"min":1,"max":1}}`))
	f.Add(frame(`{"id":1,"error":{"code":"failed","message":"x"}}`))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, '{'})
	f.Add([]byte{0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := bytes.NewReader(raw)
		for {
			var in, again Frame
			if err := ReadFrame(r, &in); err != nil {
				return
			}
			var out bytes.Buffer
			if err := WriteFrame(&out, in); err != nil {
				continue // escapes may make it longer than what came
			}
			if err := ReadFrame(&out, &again); err != nil || again.ID != in.ID || again.Op != in.Op {
				t.Fatalf("%+v came back as %+v: %v", in, again, err)
			}
		}
	})
}

func TestAPeerThatAsksTooMuchLosesItsLink(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	l := NewLink(b, func(ctx context.Context, _ Op, _ json.RawMessage) (any, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	done := make(chan error, 1)
	go func() { done <- l.Serve(context.Background()) }()
	_ = a.SetDeadline(time.Now().Add(10 * time.Second))
	for i := range uint64(maxServed + 1) {
		if err := WriteFrame(a, Frame{ID: i + 1, Op: OpStatus}); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	if err := <-done; CodeOf(err) != CodeInvalid {
		t.Fatalf("the link ended with %v", err)
	}
}

func TestACallThatIsGivenUpKeepsItsPlaceUntilAnswered(t *testing.T) {
	free := make(chan struct{})
	h, _ := pair(t, refuse, func(ctx context.Context, op Op, _ json.RawMessage) (any, error) {
		if op == OpStatus {
			<-free
		}
		return Pong{Seq: 1}, nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var all sync.WaitGroup
	for range maxAsked {
		all.Go(func() { _ = h.Call(ctx, OpStatus, nil, nil) })
	}
	all.Wait()
	short, done := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer done()
	if err := h.Call(short, OpPing, nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one call more than may be asked: %v", err)
	}
	close(free)
	if err := h.Call(t.Context(), OpPing, nil, nil); err != nil {
		t.Errorf("after the answers: %v", err)
	}
}

// FuzzLink lets a hostile peer talk to a link: it must end by itself and leak nothing.
func FuzzLink(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x13{\"id\":1,\"op\":\"ping\"}"))
	f.Add([]byte("\x00\x00\x00\x0e{\"op\":\"event\"}"))
	f.Add([]byte("\x00\x00\x00\x08{\"id\":1}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, b := net.Pipe()
		l := NewLink(b, func(_ context.Context, op Op, body json.RawMessage) (any, error) {
			e, err := Decode[Event](body)
			return e, err
		})
		done := make(chan error, 1)
		go func() { done <- l.Serve(context.Background()) }()
		go func() { _, _ = io.Copy(io.Discard, a) }()
		_ = a.SetWriteDeadline(time.Now().Add(5 * time.Second))
		_, _ = a.Write(raw)
		a.Close()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			t.Fatal("the link goes on though its peer is gone")
		}
	})
}
