package agentapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// maxAsked bounds the requests of one end that have no answer yet; further calls wait.
	maxAsked = 32
	// maxServed bounds what a peer may have under way here. One that keeps to maxAsked stays below it; the rest is for
	// answers that are written and whose goroutine has not ended. The reader never waits for handlers: two ends that
	// did would wait for each other.
	maxServed = 8 * maxAsked
	// writeWithin is how long the peer may leave a frame unread before the link counts as dead.
	writeWithin = 20 * time.Second
)

// ErrLinkDown is what calls on a link that has ended return.
var ErrLinkDown = errors.New("the link between host and virtual machine is down")

// Handler answers the peer's requests and takes its events (whose answer goes nowhere). It is called on goroutines of
// the link, at most maxServed at a time, events one after another in order of arrival. A nil answer is an empty one. An error that is an
// *Error crosses as it is, any other as CodeFailed.
type Handler func(ctx context.Context, op Op, body json.RawMessage) (any, error)

// Link is one control stream after its first byte, the same at both ends. Its methods may be called from any goroutine.
type Link struct {
	conn   net.Conn
	handle Handler
	asking chan struct{} // one element a request without answer

	writing sync.Mutex // held while a frame is written

	mu    sync.Mutex
	next  uint64
	calls map[uint64]chan Frame // requests that wait for their answer
	err   error                 // why the link has ended
	done  chan struct{}
}

// NewLink makes a link of a connected stream. It does nothing until Serve is called.
func NewLink(conn net.Conn, handle Handler) *Link {
	return &Link{conn: conn, handle: handle, asking: make(chan struct{}, maxAsked), calls: map[uint64]chan Frame{}, done: make(chan struct{})}
}

// Serve reads frames until the stream ends, ctx does, or Close is called, and closes the stream. It returns nil when
// the peer closed between frames, and only when every handler has returned.
func (l *Link) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { l.fail(ctx.Err()) })
	defer stop()
	events := make(chan Frame, maxServed)
	var work sync.WaitGroup
	work.Go(func() {
		for f := range events {
			_, _ = l.handle(ctx, f.Op, f.Body)
		}
	})
	err := l.read(ctx, events, &work)
	l.fail(err)
	cancel()
	close(events)
	work.Wait()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// read takes frames apart; it waits for nothing but the stream.
func (l *Link) read(ctx context.Context, events chan<- Frame, work *sync.WaitGroup) error {
	slots := make(chan struct{}, maxServed)
	for {
		var f Frame
		if err := ReadFrame(l.conn, &f); err != nil {
			return err
		}
		switch {
		case f.Op == "" && f.ID != 0:
			l.answered(f)
		case f.Op == "":
			return &Error{Code: CodeInvalid, Message: "control frame without op and id"}
		case f.ID == 0:
			select {
			case events <- f:
			default:
				return Errorf(CodeInvalid, "more than %d events that are not dealt with", maxServed)
			}
		default:
			select {
			case slots <- struct{}{}:
			default:
				return Errorf(CodeInvalid, "more than %d requests at a time", maxServed)
			}
			work.Go(func() {
				defer func() { <-slots }()
				l.answer(ctx, f)
			})
		}
	}
}

// answered hands an answer to the call that waits for it; one that was never asked for is dropped.
func (l *Link) answered(f Frame) {
	l.mu.Lock()
	ch := l.calls[f.ID]
	delete(l.calls, f.ID)
	l.mu.Unlock()
	if ch != nil {
		ch <- f
		<-l.asking
	}
}

func (l *Link) answer(ctx context.Context, f Frame) {
	out := Frame{ID: f.ID}
	v, err := l.handle(ctx, f.Op, f.Body)
	if err == nil && v != nil {
		out.Body, err = json.Marshal(v)
	}
	if err == nil && len(out.Body) > MaxFrame-256 {
		err = Errorf(CodeFailed, "%s: the answer of %d bytes is over the limit", f.Op, len(out.Body))
	}
	if err != nil {
		out.Body = nil
		var e *Error
		if !errors.As(err, &e) {
			e = Errorf(CodeFailed, "%s", err.Error())
		}
		out.Error = e
	}
	_ = l.write(out) // a write that fails has ended the link
}

// Call asks the peer and waits for its answer, which goes to out where out is not nil. A call that ctx ends leaves its
// request with the peer, whose answer is then dropped.
func (l *Link) Call(ctx context.Context, op Op, in, out any) error {
	body, err := marshal(in)
	if err != nil {
		return err
	}
	select {
	case l.asking <- struct{}{}:
	case <-l.done:
		return ErrLinkDown
	case <-ctx.Done():
		return ctx.Err()
	}
	id, answer := l.register()
	if err := l.write(Frame{ID: id, Op: op, Body: body}); err != nil {
		l.answered(Frame{ID: id})
		return err
	}
	select {
	case f := <-answer:
		if f.Error != nil {
			return f.Error
		}
		if out == nil || len(f.Body) == 0 {
			return nil
		}
		return json.Unmarshal(f.Body, out)
	case <-l.done:
		return ErrLinkDown
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Link) register() (uint64, <-chan Frame) {
	ch := make(chan Frame, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	l.calls[l.next] = ch
	return l.next, ch
}

// Tell sends an event: no answer comes.
func (l *Link) Tell(op Op, in any) error {
	body, err := marshal(in)
	if err != nil {
		return err
	}
	return l.write(Frame{Op: op, Body: body})
}

func marshal(in any) (json.RawMessage, error) {
	if in == nil {
		return nil, nil
	}
	return json.Marshal(in)
}

func (l *Link) write(f Frame) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	select {
	case <-l.done:
		return ErrLinkDown
	default:
	}
	if err := l.conn.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		l.fail(err)
		return ErrLinkDown
	}
	cw := &counted{w: l.conn}
	err := WriteFrame(cw, f)
	switch {
	case err == nil:
		return nil
	case !cw.tried: // refused before a byte went out: the stream is whole
		return err
	}
	l.fail(err)
	return ErrLinkDown
}

// counted notes whether anything was given to the stream.
type counted struct {
	w     io.Writer
	tried bool
}

func (c *counted) Write(p []byte) (int, error) {
	c.tried = true
	return c.w.Write(p)
}

// fail ends the link once; the first reason stays.
func (l *Link) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	if err == nil {
		err = ErrLinkDown
	}
	l.err = err
	close(l.done)
	_ = l.conn.Close()
}

// Close ends the link; Serve returns.
func (l *Link) Close() error {
	l.fail(ErrLinkDown)
	return nil
}

// Done is closed when the link has ended.
func (l *Link) Done() <-chan struct{} { return l.done }

// Decode reads a request's body into what the handler expects.
func Decode[T any](body json.RawMessage) (T, error) {
	var v T
	if len(body) == 0 {
		return v, nil
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return v, Errorf(CodeInvalid, "%v", err)
	}
	return v, nil
}
