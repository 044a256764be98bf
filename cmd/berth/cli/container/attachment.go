package container

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/stream"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/moby/term"
)

// attachment is a person's streams joined with those of a container, from before its start to its end.
type attachment struct {
	s                     *session.Session
	cl                    *client.Client
	id                    string
	tty                   bool
	stdin, stdout, stderr bool
	keys                  string
	sigProxy              bool
	was                   string // when the container was last started, before this run
	midway                bool   // it ran before: its output was not seen from the beginning

	out, errs *counted
}

// run attaches, calls begin, carries the streams and returns the container's exit code as an error. A person who
// detaches ends it with no error.
func (a *attachment) run(ctx context.Context, begin func() error, removed bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resp, err := a.cl.ContainerAttach(ctx, a.id, client.ContainerAttachOptions{
		Stream: true, Stdin: a.stdin, Stdout: a.stdout, Stderr: a.stderr, DetachKeys: a.keys,
	})
	if err != nil {
		return err
	}
	defer resp.Close()
	cond := container.WaitConditionNextExit
	if removed {
		cond = container.WaitConditionRemoved
	}
	w := newWatch(ctx, a.cl, a.id, a.was, cond)
	if err := w.start(ctx, begin); err != nil {
		return err
	}
	restore := a.raw()
	defer restore()
	if a.sigProxy && !a.tty {
		defer forwardSignals(ctx, a.cl, a.id)()
	}
	if a.tty {
		defer followSize(a.s, func(h, w uint) {
			a.cl.ContainerResize(ctx, a.id, client.ContainerResizeOptions{Height: h, Width: w})
		})()
	}
	err = a.copy(ctx, &resp.HijackedResponse)
	restore()
	if errors.Is(err, stream.ErrDetached) {
		return nil
	}
	return a.exit(ctx, w)
}

// copy carries the streams until the output ends.
func (a *attachment) copy(ctx context.Context, conn *client.HijackedResponse) error {
	now := time.Now()
	a.out, a.errs = &counted{w: a.s.Out, last: now}, &counted{w: a.s.Err, last: now}
	sess := stream.Session{TTY: a.tty, DetachKeys: a.keys}
	if a.stdin {
		sess.In = a.s.In
	}
	if a.stdout {
		sess.Out = a.out
	}
	if a.stderr {
		sess.Err = a.errs
		if a.tty {
			sess.Err = a.out
		}
	}
	if !a.stdout && !a.stderr {
		sess.Out = io.Discard
	}
	return sess.Copy(ctx, peer{conn})
}

// exit waits for the container's end. Where the engine went away meanwhile the streams may have gone with it.
func (a *attachment) exit(ctx context.Context, w *watch) error {
	for {
		select {
		case end := <-w.done:
			if end.err == nil && w.broke.Load() {
				a.replay(ctx, w)
			}
			return end.result()
		case <-w.back:
			a.replay(ctx, w)
		}
	}
}

// raw puts the terminal into raw mode where keys are the container's; the function it gives may be called twice.
func (a *attachment) raw() (restore func()) {
	fd, ok := a.s.InTerminal()
	if !a.tty || !a.stdin || !ok {
		return func() {}
	}
	state, err := term.SetRawTerminal(fd)
	if err != nil {
		return func() {}
	}
	done := false
	return func() {
		if !done {
			done = true
			term.RestoreTerminal(fd, state)
		}
	}
}

// peer is a hijacked connection as package stream wants it.
type peer struct{ h *client.HijackedResponse }

func (p peer) Read(b []byte) (int, error)  { return p.h.Reader.Read(b) }
func (p peer) Write(b []byte) (int, error) { return p.h.Conn.Write(b) }
func (p peer) CloseWrite() error {
	if c, ok := p.h.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// followSize tells of the terminal's size now and whenever it changes. It returns a function that ends it.
func followSize(s *session.Session, tell func(height, width uint)) (stop func()) {
	fd, ok := s.OutTerminal()
	if !ok {
		return func() {}
	}
	var last term.Winsize
	look := func() {
		ws, err := term.GetWinsize(fd)
		if err == nil && *ws != last && ws.Height > 0 {
			last = *ws
			tell(uint(ws.Height), uint(ws.Width))
		}
	}
	look()
	changed, end := sizeChanges()
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-changed:
				look()
			case <-done:
				return
			}
		}
	}()
	return func() { end(); close(done) }
}

// forwardSignals passes signals on to the container. A second interrupt within a moment is the person's own wish to
// leave; the first is the container's.
func forwardSignals(ctx context.Context, cl *client.Client, id string) (stop func()) {
	sigs, end := proxied()
	done := make(chan struct{})
	go func() {
		for {
			select {
			case sig := <-sigs:
				name := signalName(sig)
				if name == "" {
					continue
				}
				kctx, cancel := context.WithTimeout(ctx, 10*time.Second)
				cl.ContainerKill(kctx, id, client.ContainerKillOptions{Signal: name})
				cancel()
			case <-done:
				return
			}
		}
	}()
	return func() { end(); close(done) }
}
