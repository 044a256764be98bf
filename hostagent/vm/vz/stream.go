//go:build darwin || linux

package vz

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"

	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/hostagent/vm"
)

// dialled is what became of a connection.
type dialled struct {
	file *os.File // a duplicate of the connection's descriptor
	err  error
}

// Dial opens a stream to a port of the guest.
func (m *machine) Dial(ctx context.Context, port uint32) (transport.Conn, error) {
	fail := func(err error) (transport.Conn, error) {
		if m.State() == vm.Stopped {
			err = vm.ErrNotRunning
		}
		return nil, fmt.Errorf("dialing port %d of virtual machine %s: %w", port, m.config.Name, err)
	}
	if m.streams.over() {
		return fail(vm.ErrNotRunning)
	}
	answer := make(chan dialled, 1)
	err := m.on(func(s *script) {
		devices := object(s.call(m.fw.vm, "VZVirtualMachine -socketDevices"))
		s.call(object(s.call(devices, "NSArray -firstObject")), "VZVirtioSocketDevice -connectToPort:completionHandler:", port,
			connected(func(connection, failure object) { answer <- s.take(connection, failure) }))
	})
	if err != nil {
		return fail(err)
	}
	select {
	case d := <-answer:
		if d.err != nil {
			return fail(d.err)
		}
		c, err := m.streams.begin(d.file, port, m)
		if err != nil {
			return fail(err)
		}
		return c, nil
	case <-m.Done():
		err = vm.ErrNotRunning
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	go discard(answer, m.Done())
	return fail(err)
}

// discard closes a connection that comes when nobody waits for it any more.
func discard(answer <-chan dialled, done <-chan struct{}) {
	select {
	case d := <-answer:
		if d.file != nil {
			d.file.Close()
		}
	case <-done:
	}
}

// take duplicates a connection's descriptor while its object is there: with it the descriptor is closed.
func (s *script) take(connection, failure object) dialled {
	if connection == 0 {
		return dialled{err: s.failure(failure)}
	}
	fd := int(int32(s.call(connection, "VZVirtioSocketConnection -fileDescriptor")))
	if s.err != nil {
		return dialled{err: s.err}
	}
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	dup, err := syscall.Dup(fd)
	if err != nil {
		return dialled{err: os.NewSyscallError("dup", err)}
	}
	syscall.CloseOnExec(dup)
	return dialled{file: os.NewFile(uintptr(dup), "vsock")}
}

// streams are those that are open.
type streams struct {
	mu   sync.Mutex
	open map[*stream]bool
	gone bool // the machine has ended: there are no new ones
}

func (s *streams) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone
}

func (s *streams) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// begin makes a stream of a descriptor, which is a unix socket's: each half ends by itself.
func (s *streams) begin(f *os.File, port uint32, m *machine) (*stream, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("the framework gave a connection of %s", c.LocalAddr().Network())
	}
	st := &stream{UnixConn: u, port: port, of: s, runs: func() bool {
		n := m.state()
		return n != stateStopped && n != stateError
	}}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		u.Close()
		return nil, vm.ErrNotRunning
	}
	if s.open == nil {
		s.open = map[*stream]bool{}
	}
	s.open[st] = true
	return st, nil
}

// cut makes every stream fail.
func (s *streams) cut() {
	s.mu.Lock()
	open := s.open
	s.open, s.gone = nil, true
	s.mu.Unlock()
	for st := range open {
		_ = st.UnixConn.Close()
	}
}

// stream is one connection.
type stream struct {
	*net.UnixConn
	port uint32
	of   *streams
	runs func() bool // the machine, as the framework has it

	mu     sync.Mutex
	closed bool
}

// Read gives io.EOF where the guest has ended its half. A socket looks the same when the machine has gone, so the
// framework is asked; what ended in the moment before it knows cannot be told apart.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.UnixConn.Read(p)
	switch {
	case err == nil:
	case errors.Is(err, net.ErrClosed):
		err = s.why("read", err)
	case err == io.EOF && len(p) > 0 && (s.of.over() || !s.runs()):
		err = s.reset("read")
	}
	return n, err
}

// Write fails with syscall.EPIPE where the guest takes no more.
func (s *stream) Write(p []byte) (int, error) {
	n, err := s.UnixConn.Write(p)
	if errors.Is(err, net.ErrClosed) {
		err = s.why("write", err)
	}
	return n, err
}

// why tells a stream that its owner has closed from one that was cut.
func (s *stream) why(op string, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return err
	}
	return s.reset(op)
}

func (s *stream) reset(op string) error {
	return &net.OpError{Op: op, Net: "vsock", Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: syscall.ECONNRESET}
}

// Close ends both halves.
func (s *stream) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.of.mu.Lock()
	delete(s.of.open, s)
	s.of.mu.Unlock()
	return s.UnixConn.Close()
}

// WriteTo and ReadFrom are those of any stream: a UnixConn's own would go around Read and Write.
func (s *stream) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, struct{ io.Reader }{s}) }

// ReadFrom is of io.ReaderFrom.
func (s *stream) ReadFrom(r io.Reader) (int64, error) { return io.Copy(struct{ io.Writer }{s}, r) }

// LocalAddr is the host's end, RemoteAddr the guest's.
func (s *stream) LocalAddr() net.Addr  { return transport.Addr{CID: transport.HostCID} }
func (s *stream) RemoteAddr() net.Addr { return transport.Addr{CID: transport.GuestCID, Port: s.port} }
