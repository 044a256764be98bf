//go:build linux || darwin

package keeper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/internal/paths"
)

// machine is a kept one, seen from the agent.
type machine struct {
	*vm.Lifecycle
	names    paths.Machine
	waiting  *net.UnixConn // answered when it ends
	detached atomic.Bool
}

// open sends a request to the keeper.
func (m *machine) open(r request) (*net.UnixConn, error) {
	r.Version = protocolVersion
	c, err := transport.DialPrivate(m.names.KeeperSocket())
	if err == nil {
		if err = send(c, r); err == nil {
			return c, nil
		}
		c.Close()
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return nil, fmt.Errorf("virtual machine %s: %w", m.names.Name, vm.ErrNotRunning)
	}
	return nil, fmt.Errorf("virtual machine %s: its keeper: %w", m.names.Name, err)
}

// ask sends a request and waits for its reply, with the connection that it came on.
func (m *machine) ask(ctx context.Context, r request) (*net.UnixConn, reply, error) {
	if m.State() == vm.Stopped {
		return nil, reply{}, vm.ErrNotRunning
	}
	c, err := m.open(r)
	if err != nil {
		return nil, reply{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
	var got reply
	err = receive(c, &got)
	if !stop() && ctx.Err() != nil {
		err = fmt.Errorf("virtual machine %s: %w", m.names.Name, context.Cause(ctx))
	} else if err != nil { // the keeper has gone
		err = fmt.Errorf("virtual machine %s: %w", m.names.Name, vm.ErrNotRunning)
	} else {
		err = got.err()
	}
	if err != nil {
		c.Close()
		return nil, got, err
	}
	return c, got, nil
}

// tell is ask where no stream follows.
func (m *machine) tell(ctx context.Context, r request) (reply, error) {
	c, got, err := m.ask(ctx, r)
	if err == nil {
		c.Close()
	}
	return got, err
}

// wait learns of the end.
func (m *machine) wait() {
	var r reply
	err := receive(m.waiting, &r)
	m.waiting.Close()
	switch {
	case m.detached.Load():
	case err == nil && r.Exit != nil:
		m.End(*r.Exit)
	default:
		m.End(vm.Exit{Reason: vm.Lost, Detail: "its keeper is gone"})
	}
}

// Status tells how it is.
func (m *machine) Status(ctx context.Context) (vm.Status, error) {
	r, err := m.tell(ctx, request{Verb: "status"})
	if err != nil || r.Status == nil {
		return vm.Status{}, err
	}
	return *r.Status, nil
}

// PowerDown presses the power button.
func (m *machine) PowerDown(ctx context.Context) error {
	_, err := m.tell(ctx, request{Verb: "powerdown"})
	return err
}

// Pause stops the processors, Resume lets them run.
func (m *machine) Pause(ctx context.Context) error {
	_, err := m.tell(ctx, request{Verb: "pause"})
	return err
}

// Resume is of vm.Machine.
func (m *machine) Resume(ctx context.Context) error {
	_, err := m.tell(ctx, request{Verb: "resume"})
	return err
}

// Kill takes the power away.
func (m *machine) Kill(ctx context.Context) error {
	_, err := m.tell(ctx, request{Verb: "kill"})
	if err != nil && !errors.Is(err, vm.ErrNotRunning) {
		return err
	}
	if m.detached.Load() {
		return nil
	}
	select {
	case <-m.Done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("killing virtual machine %s: %w", m.names.Name, context.Cause(ctx))
	}
}

// Close lets go of the machine, which runs on.
func (m *machine) Close() error {
	if !m.detached.Swap(true) {
		m.waiting.Close()
	}
	return nil
}

// Dial opens a stream to a port of the guest.
func (m *machine) Dial(ctx context.Context, port uint32) (transport.Conn, error) {
	c, r, err := m.ask(ctx, request{Verb: "dial", Port: port})
	if err != nil {
		return nil, err
	}
	_ = c.SetReadDeadline(time.Time{})
	_ = c.SetWriteBuffer(socketBuffer)
	return &stream{UnixConn: c, m: m, id: r.Stream, port: port}, nil
}

// stream is a connection to the keeper that has become a stream.
type stream struct {
	*net.UnixConn
	m    *machine
	id   uint64
	port uint32

	once  sync.Once
	ended error // what the end is
}

// Read gives io.EOF only where the keeper says that the guest has ended the stream.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.UnixConn.Read(p)
	if err == io.EOF {
		s.once.Do(s.ask)
		err = s.ended
	}
	return n, err
}

func (s *stream) ask() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := s.m.tell(ctx, request{Verb: "ending", Stream: s.id})
	if s.ended = io.EOF; err != nil || !r.Clean {
		s.ended = &net.OpError{Op: "read", Net: "vsock", Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: syscall.ECONNRESET}
	}
}

// LocalAddr is the host's end, RemoteAddr the guest's.
func (s *stream) LocalAddr() net.Addr  { return transport.Addr{CID: transport.HostCID} }
func (s *stream) RemoteAddr() net.Addr { return transport.Addr{CID: transport.GuestCID, Port: s.port} }
