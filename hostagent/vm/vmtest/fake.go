// Package vmtest has a driver without a hypervisor and the contract that every driver keeps. Only tests import it.
package vmtest

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/hostagent/vm/vmtest/guest"
)

// Fake is a driver whose machines are a few goroutines: their guest is package guest, their streams are TCP on the
// loopback address.
type Fake struct {
	// Hangs are accelerators under which the guest never answers; Fails are those that do not even start.
	Hangs, Fails map[vm.Accelerator]bool

	mu    sync.Mutex
	dirs  map[string]bool
	boots atomic.Int64
}

// Name is "fake".
func (*Fake) Name() string { return "fake" }

// Accelerators offers two, so that a choice can be tested.
func (*Fake) Accelerators(string) ([]vm.Accelerator, error) {
	return []vm.Accelerator{vm.KVM, vm.Emulation}, nil
}

// Start starts a machine.
func (f *Fake) Start(ctx context.Context, c vm.Config, files vm.Files) (vm.Machine, error) {
	if err := c.Check(files); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if f.Fails[c.Accelerator] {
		return nil, fmt.Errorf("virtual machine %s: %s does not work here", c.Name, c.Accelerator)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dirs[c.Dir] {
		return nil, fmt.Errorf("virtual machine %s: %w", c.Name, vm.ErrRunning)
	}
	if f.dirs == nil {
		f.dirs = map[string]bool{}
	}
	f.dirs[c.Dir] = true
	m := &machine{
		Lifecycle: vm.NewLifecycle(), config: c, hangs: f.Hangs[c.Accelerator], boot: fmt.Sprintf("boot %d", f.boots.Add(1)),
		open: map[*net.TCPConn]bool{}, forget: func() { f.mu.Lock(); delete(f.dirs, c.Dir); f.mu.Unlock() },
	}
	m.running = sync.NewCond(&m.mu)
	return m, m.Move(vm.Running)
}

// machine is a fake one.
type machine struct {
	*vm.Lifecycle
	config vm.Config
	hangs  bool
	boot   string
	forget func()

	mu      sync.Mutex // never held while the life cycle changes
	running *sync.Cond
	paused  bool
	open    map[*net.TCPConn]bool // both ends of every stream
	streams int
}

func (m *machine) Off()           { m.end(vm.Exit{Reason: vm.PoweredOff}) }
func (m *machine) Crash()         { m.end(vm.Exit{Reason: vm.Crashed, Detail: "the guest was told to"}) }
func (m *machine) BootID() string { return m.boot }

func (m *machine) Status(context.Context) (vm.Status, error) {
	if m.State() == vm.Stopped {
		return vm.Status{}, vm.ErrNotRunning
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return vm.Status{
		State: m.State(), Driver: "fake", Accelerator: m.config.Accelerator, CPUs: m.config.CPUs, Memory: m.config.Memory, Streams: m.streams,
	}, nil
}

// PowerDown is heeded by this guest at once.
func (m *machine) PowerDown(context.Context) error {
	if err := m.Move(vm.Stopping); err != nil {
		return err
	}
	go m.Off()
	return nil
}

func (m *machine) Pause(context.Context) error  { return m.pause(vm.Paused, true) }
func (m *machine) Resume(context.Context) error { return m.pause(vm.Running, false) }

func (m *machine) pause(to vm.State, paused bool) error {
	if err := m.Move(to); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.paused = paused
	m.running.Broadcast()
	return nil
}

func (m *machine) Kill(context.Context) error {
	m.end(vm.Exit{Reason: vm.Killed})
	return nil
}

func (m *machine) Close() error { return m.Kill(context.Background()) }

func (m *machine) end(exit vm.Exit) {
	m.mu.Lock()
	for c := range m.open {
		_ = c.SetLinger(0) // a stream that is cut fails, it does not end
		c.Close()
	}
	m.open, m.paused = nil, false
	m.running.Broadcast()
	m.mu.Unlock()
	m.End(exit)
	m.forget()
}

// Dial connects to a service.
func (m *machine) Dial(ctx context.Context, port uint32) (transport.Conn, error) {
	defer context.AfterFunc(ctx, func() { m.mu.Lock(); m.running.Broadcast(); m.mu.Unlock() })()
	m.mu.Lock()
	for (m.paused || m.hangs) && m.open != nil && ctx.Err() == nil {
		m.running.Wait()
	}
	ended := m.open == nil
	m.mu.Unlock()
	switch {
	case ended:
		return nil, vm.ErrNotRunning
	case ctx.Err() != nil:
		return nil, fmt.Errorf("dialing guest port %d: %w", port, context.Cause(ctx))
	case port == guest.Closed:
		return nil, fmt.Errorf("dialing guest port %d: %w", port, syscall.ECONNREFUSED)
	}
	host, inside, err := tcpPair()
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	if m.open == nil {
		m.mu.Unlock()
		host.Close()
		inside.Close()
		return nil, vm.ErrNotRunning
	}
	m.open[host], m.open[inside] = true, true
	m.streams++
	m.mu.Unlock()
	go guest.Handle(port, inside, m)
	return &conn{TCPConn: host, m: m}, nil
}

// conn counts itself out.
type conn struct {
	*net.TCPConn
	m    *machine
	once sync.Once
}

func (c *conn) Close() error {
	c.once.Do(func() {
		c.m.mu.Lock()
		c.m.streams--
		delete(c.m.open, c.TCPConn)
		c.m.mu.Unlock()
	})
	return c.TCPConn.Close()
}

func tcpPair() (a, b *net.TCPConn, err error) {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if a, err = net.DialTCP("tcp4", nil, l.Addr().(*net.TCPAddr)); err != nil {
		return nil, nil, err
	}
	if b, err = l.AcceptTCP(); err != nil {
		a.Close()
		return nil, nil, err
	}
	return a, b, nil
}
