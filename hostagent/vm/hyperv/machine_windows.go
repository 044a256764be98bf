package hyperv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/hostagent/vm/hyperv/document"
	"github.com/berthhq/berth/internal/paths"
)

// machine is a compute system.
type machine struct {
	*vm.Lifecycle
	config  vm.Config
	id      string // the system's name
	runtime string // what sockets know it by
	system  system
	forget  func() // of the callback
	dial    func(context.Context, string, uint32) (transport.Half, error)
	streams streams
	console *console // nil where an earlier process had it

	verb sync.Mutex // one change of state at a time; never held while the machine ends

	mu     sync.Mutex
	killed bool
	gone   bool // the system's handle is closed
}

// start makes the system and starts it; after an error there is none.
func (m *machine) start(ctx context.Context, files vm.Files) error {
	doc, err := m.describe(files)
	if err != nil {
		return err
	}
	for _, f := range append([]*os.File{files.Kernel, files.Initrd}, files.Disks...) {
		if f != nil {
			if err := grant(m.id, f.Name()); err != nil {
				return err
			}
		}
	}
	if m.system, err = create(ctx, m.id, doc); err != nil {
		return err
	}
	if m.console, err = listenConsole(m.config.Dir, m.id); err == nil {
		err = m.bring(ctx)
	}
	if err != nil {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoWithin)
		defer cancel()
		err = errors.Join(err, m.system.terminate(undo))
		m.release()
	}
	return err
}

// bring starts what was made.
func (m *machine) bring(ctx context.Context) (err error) {
	if m.forget, err = heard.listen(m.system, m.ended); err != nil {
		return err
	}
	if err := m.system.start(ctx); err != nil {
		return err
	}
	p, err := m.system.properties(ctx)
	if err != nil {
		return err
	}
	m.runtime = p.RuntimeId
	b, err := json.Marshal(m.config)
	if err != nil {
		return err
	}
	if err := os.WriteFile(m.names().HyperV(), b, 0o600); err != nil {
		return err
	}
	return m.Move(vm.Running)
}

// describe is the document.
func (m *machine) describe(files vm.Files) ([]byte, error) {
	user, err := userSID()
	if err != nil {
		return nil, err
	}
	d := document.Machine{
		Owner: owner, User: user, Arch: m.config.Arch, Kernel: files.Kernel.Name(), Cmdline: m.config.Cmdline,
		Memory: m.config.Memory, CPUs: m.config.CPUs, Console: consolePipe(m.id),
	}
	if files.Initrd != nil {
		d.Initrd = files.Initrd.Name()
	}
	for i, disk := range m.config.Disks {
		d.Disks = append(d.Disks, document.Disk{Path: files.Disks[i].Name(), ReadOnly: disk.ReadOnly})
	}
	s, err := document.Compose(d, build())
	if err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// attach takes up a system that another process started.
func (m *machine) attach(ctx context.Context) (err error) {
	if m.system, err = open(m.id); err != nil {
		return err
	}
	if m.forget, err = heard.listen(m.system, m.ended); err == nil {
		var p properties
		if p, err = m.system.properties(ctx); err == nil {
			m.runtime = p.RuntimeId
			err = m.found(p.State)
		}
	}
	if err != nil {
		m.release()
	}
	return err
}

func (m *machine) found(state string) error {
	switch state {
	case "Running":
		return m.Move(vm.Running)
	case "Paused":
		return errors.Join(m.Move(vm.Running), m.Move(vm.Paused))
	}
	return vm.ErrNotRunning
}

func (m *machine) names() paths.Machine { return paths.Machine{Name: m.config.Name, Dir: m.config.Dir} }

// ended is told by the service that the system has.
func (m *machine) ended(kind uint32, data string) {
	var panicked string
	if m.console != nil {
		panicked = m.console.panicked()
	}
	m.mu.Lock()
	exit := exitOf(data, m.killed, panicked)
	m.mu.Unlock()
	if kind == eventServiceDisconnect {
		exit = vm.Exit{Reason: vm.Lost, Detail: "the Host Compute Service has gone away"}
	}
	_ = os.Remove(m.names().HyperV())
	m.streams.end()
	m.release()
	m.End(exit)
}

// release lets go of the system.
func (m *machine) release() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone {
		return
	}
	m.gone = true
	if m.forget != nil {
		m.forget()
	}
	hcsCloseComputeSystem(m.system)
	if m.console != nil {
		m.console.close()
	}
}

// Dial opens a stream to a port of the guest. Nothing of a paused guest answers: it is waited for.
func (m *machine) Dial(ctx context.Context, port uint32) (transport.Conn, error) {
	for m.State() == vm.Paused {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-m.Done():
		case <-ctx.Done():
			return nil, m.dialing(port, context.Cause(ctx))
		}
	}
	if m.State() == vm.Stopped {
		return nil, m.dialing(port, vm.ErrNotRunning)
	}
	c, err := m.dial(ctx, m.runtime, port)
	switch {
	case err == nil:
		return m.streams.add(c), nil
	case m.State() == vm.Stopped:
		err = vm.ErrNotRunning
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	}
	return nil, m.dialing(port, known(err))
}

func (m *machine) dialing(port uint32, err error) error {
	return fmt.Errorf("dialing port %d of virtual machine %s: %w", port, m.config.Name, err)
}

// Status tells how it is.
func (m *machine) Status(context.Context) (vm.Status, error) {
	state := m.State()
	if state == vm.Stopped {
		return vm.Status{}, vm.ErrNotRunning
	}
	return vm.Status{
		State: state, Driver: "hyperv", Accelerator: m.config.Accelerator, CPUs: m.config.CPUs, Memory: m.config.Memory,
		Streams: m.streams.count(), Version: fmt.Sprintf("Windows build %d", build()),
	}, nil
}

// PowerDown asks the guest's integration service to end.
func (m *machine) PowerDown(ctx context.Context) error {
	if m.State() == vm.Paused { // nobody would hear it
		if err := m.Resume(ctx); err != nil {
			return err
		}
	}
	return m.change(ctx, vm.Stopping, func(ctx context.Context) error {
		var options []byte
		if o := document.PowerButton(build()); o != nil {
			var err error
			if options, err = json.Marshal(o); err != nil {
				return err
			}
		}
		return m.system.shutDown(ctx, options)
	})
}

// Pause stops the processors, Resume lets them run.
func (m *machine) Pause(ctx context.Context) error {
	return m.change(ctx, vm.Paused, func(ctx context.Context) error { return m.system.pause(ctx) })
}

func (m *machine) Resume(ctx context.Context) error {
	return m.change(ctx, vm.Running, func(ctx context.Context) error { return m.system.resume(ctx) })
}

func (m *machine) change(ctx context.Context, to vm.State, by func(context.Context) error) error {
	m.verb.Lock()
	defer m.verb.Unlock()
	switch m.State() {
	case vm.Stopped:
		return vm.ErrNotRunning
	case to:
		return nil
	}
	err := by(ctx)
	if err == nil {
		err = m.Move(to)
	}
	if err != nil && (m.State() == vm.Stopped || errors.Is(err, code(alreadyStopped)) || errors.Is(err, code(systemNotFound))) {
		return vm.ErrNotRunning
	}
	if err != nil {
		return fmt.Errorf("virtual machine %s: %w", m.config.Name, err)
	}
	return nil
}

// Kill takes the power away.
func (m *machine) Kill(ctx context.Context) error {
	if m.State() == vm.Stopped {
		return nil
	}
	m.mu.Lock()
	m.killed = !m.gone
	gone := m.gone
	m.mu.Unlock()
	if gone {
		return nil
	}
	m.streams.ending(true)
	if err := m.system.terminate(ctx); err != nil && !m.isGone() { // else it has ended meanwhile
		m.streams.ending(false)
		return fmt.Errorf("killing virtual machine %s: %w", m.config.Name, err)
	}
	select {
	case <-m.Done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("killing virtual machine %s: %w", m.config.Name, context.Cause(ctx))
	}
}

func (m *machine) isGone() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.gone
}

// Close lets go of it; it runs on.
func (m *machine) Close() error {
	m.release()
	return nil
}
