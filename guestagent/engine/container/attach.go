//go:build linux

package container

import (
	"context"
	"fmt"
	"net"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/term"
)

// AttachOptions are the parameters of an attach.
type AttachOptions struct {
	Stdin, Stdout, Stderr, Stream, Logs bool
	DetachKeys                          string
}

// Hijack takes a client's connection over; the preface is what it had sent already.
type Hijack func() (conn net.Conn, preface []byte, err error)

// Replay writes a container's log to a client as its streams are framed.
type Replay func(ctx context.Context, id string, tty bool, stdout, stderr bool, to net.Conn) error

// defaultDetach is docker's key sequence.
const defaultDetach = "ctrl-p,ctrl-q"

// ContainerAttach gives a client the streams of a container, running or about to start. replay, if not nil, is called
// with the connection before the streams are joined.
func (s *Service) ContainerAttach(ctx context.Context, ref string, o AttachOptions, hijack func(mux bool) Hijack, replay Replay) error {
	e, err := s.find(ref)
	if err != nil {
		return err
	}
	r := e.snapshot()
	switch r.State.Status {
	case container.StatePaused:
		return errdefs.Conflict("container %s is paused, unpause the container before attach", ref)
	case container.StateRestarting:
		return errdefs.Conflict("container %s is restarting, wait until the container is running", ref)
	}
	keys, err := detachKeys(o.DetachKeys, r.Config.Tty && o.Stdin)
	if err != nil {
		return err
	}
	conn, preface, err := hijack(!r.Config.Tty)()
	if err != nil {
		return err
	}
	if o.Logs && replay != nil {
		if err := replay(ctx, r.ID, r.Config.Tty, o.Stdout, o.Stderr, conn); err != nil {
			conn.Close()
			return nil // the client is gone
		}
	}
	if !o.Stream {
		return conn.Close()
	}
	err = s.Runtime.Attach(context.WithoutCancel(ctx), r.ID, "", proto.Attach{
		Stdin: o.Stdin && r.Config.OpenStdin, Stdout: o.Stdout, Stderr: o.Stderr, Mux: !r.Config.Tty,
		DetachKeys: keys, Preface: preface,
	}, conn)
	if err == nil {
		s.publish(&r, "attach")
	}
	return err
}

// detachKeys reads a key sequence; without a terminal there is none.
func detachKeys(typed string, terminal bool) ([]byte, error) {
	if typed == "" {
		typed = defaultDetach
	}
	keys, err := term.ToBytes(typed)
	if err != nil {
		return nil, errdefs.Invalid("Invalid detach keys (%s) provided: %w", typed, err)
	}
	if !terminal {
		return nil, nil
	}
	return keys, nil
}

// ContainerResize sets the size of a container's terminal, in characters.
func (s *Service) ContainerResize(ctx context.Context, ref string, height, width uint16) error {
	e, err := s.find(ref)
	if err != nil {
		return err
	}
	r := e.snapshot()
	if !r.State.running() {
		return errdefs.Conflict("container %s is not running", r.ID)
	}
	if r.Config.Tty { // without one there is nothing to do, which dockerd tells of all the same
		if err := s.Runtime.Resize(ctx, r.ID, "", height, width); err != nil {
			return err
		}
	}
	s.publish(&r, "resize", "height", fmt.Sprint(height), "width", fmt.Sprint(width))
	return nil
}
