package hostagent_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"

	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/internal/agentapi"
)

// hypervisor is a driver whose machines speak berth's own protocol: a control link, and an engine that answers every
// request with the name of its kernel. Its machines outlive an Agent.
type hypervisor struct {
	mu       sync.Mutex
	machines map[string]*machine // by directory
	boots    []string            // the kernels that were started, in order
	tried    []vm.Accelerator
	hangs    map[vm.Accelerator]bool
	bad      string // a kernel whose guest never answers
	noEngine bool   // the engine never answers
	noShell  bool   // its image is of before there was one
	deaf     bool   // guests ignore a request to power off
	refuses  error  // every start is refused
}

func (*hypervisor) Name() string { return "test" }

func (*hypervisor) Accelerators(string) ([]vm.Accelerator, error) {
	return []vm.Accelerator{vm.KVM, vm.Emulation}, nil
}

func (h *hypervisor) Start(_ context.Context, c vm.Config, f vm.Files) (vm.Machine, error) {
	if err := c.Check(f); err != nil {
		return nil, err
	}
	if h.refuses != nil {
		return nil, h.refuses
	}
	kernel, err := io.ReadAll(f.Kernel)
	if err != nil {
		return nil, err
	}
	if _, err := f.Kernel.Seek(0, io.SeekStart); err != nil { // the same file is started again under another accelerator
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.boots, h.tried = append(h.boots, string(kernel)), append(h.tried, c.Accelerator)
	m := &machine{Lifecycle: vm.NewLifecycle(), h: h, c: c, kernel: string(kernel), mute: h.hangs[c.Accelerator] || string(kernel) == h.bad}
	if h.machines == nil {
		h.machines = map[string]*machine{}
	}
	h.machines[c.Dir] = m
	return m, m.Move(vm.Running)
}

func (h *hypervisor) Attach(_ context.Context, c vm.Config) (vm.Machine, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m := h.machines[c.Dir]; m != nil && m.State() == vm.Running {
		return m, nil
	}
	return nil, vm.ErrNotRunning
}

// only is the machine that runs.
func (h *hypervisor) only() *machine {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.machines {
		if m.State() == vm.Running {
			return m
		}
	}
	return nil
}

func (h *hypervisor) started() ([]string, []vm.Accelerator) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string{}, h.boots...), append([]vm.Accelerator{}, h.tried...)
}

type machine struct {
	*vm.Lifecycle
	h      *hypervisor
	c      vm.Config
	kernel string
	mute   bool

	mu    sync.Mutex
	conns []net.Conn
}

func (m *machine) Status(context.Context) (vm.Status, error) {
	return vm.Status{State: m.State(), Driver: "test", Accelerator: m.c.Accelerator, CPUs: m.c.CPUs, Memory: m.c.Memory, PID: 4711}, nil
}
func (m *machine) PowerDown(context.Context) error { return nil }
func (m *machine) Pause(context.Context) error     { return m.Move(vm.Paused) }
func (m *machine) Resume(context.Context) error    { return m.Move(vm.Running) }
func (m *machine) Close() error                    { return nil } // it runs on

func (m *machine) Kill(context.Context) error {
	m.end(vm.Exit{Reason: vm.Killed})
	return nil
}

func (m *machine) end(e vm.Exit) {
	m.mu.Lock()
	for _, c := range m.conns {
		c.Close()
	}
	m.mu.Unlock()
	m.End(e)
}

func (m *machine) Dial(ctx context.Context, port uint32) (transport.Conn, error) {
	if m.State() == vm.Stopped {
		return nil, vm.ErrNotRunning
	}
	if m.mute {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	here, there, err := streams()
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	m.conns = append(m.conns, here, there)
	m.mu.Unlock()
	switch port {
	case agentapi.PortControl:
		go m.control(there)
	case agentapi.PortDocker:
		go func() {
			_ = http.Serve(&once{c: there}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, m.kernel) }))
		}()
	case agentapi.PortShell:
		if m.h.noShell {
			return nil, syscall.ECONNREFUSED
		}
		go func() { _, _ = io.Copy(there, there); there.Close() }()
	default:
		return nil, errors.New("nothing listens there")
	}
	return here, nil
}

func (m *machine) control(c net.Conn) {
	_, err := agentapi.Receive(c, func(agentapi.Hello) agentapi.Welcome {
		return agentapi.Welcome{Agent: "1", Kernel: m.kernel, Status: agentapi.Status{Engine: !m.h.noEngine}}
	})
	if err != nil {
		return
	}
	_ = agentapi.NewLink(c, func(_ context.Context, op agentapi.Op, _ json.RawMessage) (any, error) {
		switch op {
		case agentapi.OpPower:
			if !m.h.deaf {
				go m.end(vm.Exit{Reason: vm.PoweredOff})
			}
			return nil, nil
		case agentapi.OpStatus:
			return agentapi.Status{Engine: !m.h.noEngine, UptimeMS: 1}, nil
		}
		return nil, nil
	}).Serve(context.Background())
}

// streams is a connected pair.
func streams() (here, there *net.TCPConn, err error) {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if here, err = net.DialTCP("tcp4", nil, l.Addr().(*net.TCPAddr)); err != nil {
		return nil, nil, err
	}
	there, err = l.AcceptTCP()
	return here, there, err
}

// once is a listener of one connection.
type once struct {
	c    net.Conn
	took bool
}

func (o *once) Accept() (net.Conn, error) {
	if o.took {
		return nil, net.ErrClosed
	}
	o.took = true
	return o.c, nil
}
func (o *once) Close() error   { return nil }
func (o *once) Addr() net.Addr { return o.c.LocalAddr() }

// steps collects what verbs say.
type steps struct {
	mu   sync.Mutex
	text []string
}

func (s *steps) say(t string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, t)
}

func (s *steps) said(part string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(strings.Join(s.text, "\n"), part)
}
