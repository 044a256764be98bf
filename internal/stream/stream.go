// Package stream carries bytes between a person's terminal or pipes and the hijacked connection of an attach or an
// exec: half-close, the framing of stdout and stderr, detach keys. It knows nothing of the API's requests and opens
// no connection itself.
package stream

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/moby/term"
)

// ErrDetached says that the person typed the detach keys: the process goes on, the client leaves.
var ErrDetached = errors.New("detached from the container")

// DefaultDetachKeys is ctrl-p ctrl-q, as docker has it.
const DefaultDetachKeys = "ctrl-p,ctrl-q"

// Peer is the hijacked connection. CloseWrite tells the other side that no more input comes.
type Peer interface {
	io.Reader
	io.Writer
	CloseWrite() error
}

// Session is one attachment. Nil In, Out or Err are not carried.
type Session struct {
	In         io.Reader
	Out, Err   io.Writer
	TTY        bool   // output is raw: no frames, and the detach keys are looked for in the input
	DetachKeys string // docker's notation; "" means DefaultDetachKeys
}

// CheckDetachKeys reports keys that cannot be understood; "" is well.
func CheckDetachKeys(keys string) error {
	if keys == "" {
		return nil
	}
	if _, err := term.ToBytes(keys); err != nil {
		return fmt.Errorf("invalid detach keys (%s): %w", keys, err)
	}
	return nil
}

// Copy carries bytes both ways until all output has come, the person detaches (ErrDetached) or ctx ends (its error).
// The end of In is passed on as a half-close and does not end the copying. A reader of In that blocks for ever (a
// terminal) is left behind when Copy returns: the caller is expected to exit.
func (s Session) Copy(ctx context.Context, peer Peer) error {
	in, err := s.input()
	if err != nil {
		return err
	}
	inDone := make(chan error, 1)
	go func() { inDone <- sendInput(peer, in) }()
	outDone := make(chan error, 1)
	if s.Out != nil || s.Err != nil {
		go func() { outDone <- s.receive(peer) }()
	}
	for {
		select {
		case err := <-outDone:
			return err
		case err := <-inDone:
			if errors.Is(err, ErrDetached) {
				return err
			}
			if s.Out == nil && s.Err == nil {
				return nil
			}
			inDone = nil // what went wrong in sending shows in receiving too
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// input wraps In so that the detach keys end it.
func (s Session) input() (io.Reader, error) {
	if s.In == nil || !s.TTY {
		return s.In, nil
	}
	keys := s.DetachKeys
	if keys == "" {
		keys = DefaultDetachKeys
	}
	b, err := term.ToBytes(keys)
	if err != nil {
		return nil, fmt.Errorf("invalid detach keys (%s): %w", keys, err)
	}
	return term.NewEscapeProxy(s.In, b), nil
}

func sendInput(peer Peer, in io.Reader) error {
	if in != nil {
		_, err := io.Copy(peer, in)
		var esc term.EscapeError
		if errors.As(err, &esc) {
			return ErrDetached
		}
	}
	return peer.CloseWrite()
}

func (s Session) receive(peer Peer) error {
	if s.TTY {
		out := s.Out
		if out == nil {
			out = s.Err
		}
		_, err := io.Copy(out, peer)
		return err
	}
	return Demux(s.Out, s.Err, peer)
}
