//go:build darwin || linux

package vz

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/hostagent/vm/console"
	"github.com/berthhq/berth/internal/paths"
)

// machine is a VZVirtualMachine and what must live as long.
type machine struct {
	*vm.Lifecycle
	config  vm.Config
	plan    Plan
	version string
	ours    ours
	fw      framework
	streams streams
	made    chan struct{} // closed when the framework's machine is there, or will never be

	verb sync.Mutex // one change of state at a time

	mu     sync.Mutex
	killed bool
	ending bool
}

// ours is what is closed when the machine has ended.
type ours struct {
	lock    *os.File
	console *console.Console
	serial  *os.File      // the guest's end of the console: the framework writes to it by its number
	copied  chan struct{} // closed when the console is written down
}

// framework is what is the machine in it.
type framework struct {
	rt       runtime
	table    *table
	queue    object
	vm       object
	delegate object

	life sync.RWMutex // read while messages are sent
	gone bool         // the objects were let go of
}

func newMachine(c vm.Config, p Plan, rt runtime, t *table, lock *os.File) (*machine, error) {
	m := &machine{Lifecycle: vm.NewLifecycle(), config: c, plan: p, fw: framework{rt: rt, table: t}, made: make(chan struct{})}
	con, err := console.Open(paths.Machine{Dir: c.Dir}, func() { go m.panicked() })
	if err != nil {
		return nil, err
	}
	said, serial, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, con.Close())
	}
	m.ours = ours{lock: lock, console: con, serial: serial, copied: make(chan struct{})}
	go func() { con.Copy(said); close(m.ours.copied) }()
	return m, nil
}

// start makes the framework's machine and returns when its processors run. After an error everything is gone.
func (m *machine) start(ctx context.Context) error {
	m.fw.queue = m.fw.rt.newQueue("berth.machine." + m.config.Name)
	m.fw.delegate = m.fw.rt.newDelegate(m.ended)
	err := m.on(func(s *script) {
		c := s.configuration(m.plan, m.ours.serial)
		m.fw.vm = s.owned("VZVirtualMachine -initWithConfiguration:queue:", c, m.fw.queue)
		s.call(m.fw.vm, "VZVirtualMachine -setDelegate:", m.fw.delegate)
	})
	close(m.made)
	if err == nil {
		err = m.ask(ctx, "VZVirtualMachine -startWithCompletionHandler:")
	}
	if err == nil {
		err = m.Move(vm.Running)
	}
	if err != nil {
		_ = m.Kill(context.WithoutCancel(ctx))
	}
	return err
}

// on sends messages on the machine's queue.
func (m *machine) on(do func(*script)) error {
	m.fw.life.RLock()
	defer m.fw.life.RUnlock()
	if m.fw.gone {
		return vm.ErrNotRunning
	}
	s := &script{rt: m.fw.rt, table: m.fw.table}
	m.fw.rt.onQueue(m.fw.queue, func() { do(s) })
	return s.err
}

// ask calls a method that answers later, and waits for its answer.
func (m *machine) ask(ctx context.Context, name string) error {
	answer := make(chan error, 1)
	err := m.on(func(s *script) {
		s.call(m.fw.vm, name, done(func(failure object) { // on the queue, perhaps much later
			if failure == 0 {
				answer <- nil
				return
			}
			answer <- s.failure(failure)
		}))
	})
	if err != nil {
		return err
	}
	select {
	case err = <-answer:
		return err
	case <-m.Done():
		return vm.ErrNotRunning
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// state is the framework's own word.
func (m *machine) state() (n int64) {
	if err := m.on(func(s *script) { n = int64(s.call(m.fw.vm, "VZVirtualMachine -state")) }); err != nil {
		return stateError
	}
	return n
}

// ended is called by the delegate, on the queue: the guest has ended or the framework has failed.
func (m *machine) ended(failure object) {
	exit := vm.Exit{Reason: vm.PoweredOff}
	if failure != 0 {
		s := &script{rt: m.fw.rt, table: m.fw.table}
		exit = vm.Exit{Reason: vm.Failed, Detail: s.failure(failure).Error()}
	}
	go m.finish(exit) // waits for the queue, which this is
}

// panicked ends a guest that said so and stands still.
func (m *machine) panicked() {
	<-m.made
	if m.begins() {
		_ = m.stop(context.Background())
		m.end(vm.Exit{Reason: vm.Crashed})
	}
}

// finish is the end from without.
func (m *machine) finish(exit vm.Exit) {
	if m.begins() {
		m.end(exit)
	}
}

// begins says whether the caller is the one who ends the machine.
func (m *machine) begins() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.ending
	m.ending = true
	return !was
}

// end lets go of everything, streams first.
func (m *machine) end(exit vm.Exit) {
	m.streams.cut()
	m.fw.life.Lock()
	m.fw.gone = true
	m.fw.life.Unlock()
	m.fw.rt.onQueue(m.fw.queue, func() {
		s := &script{rt: m.fw.rt, table: m.fw.table}
		if m.fw.vm != 0 {
			s.call(m.fw.vm, "VZVirtualMachine -setDelegate:", object(0))
			s.call(m.fw.vm, "NSObject -release")
		}
		s.call(m.fw.delegate, "NSObject -release")
	})
	m.fw.rt.releaseQueue(m.fw.queue)
	m.ours.serial.Close()
	<-m.ours.copied
	if said := m.ours.console.Panicked(); said != "" && !m.wasKilled() {
		exit = vm.Exit{Reason: vm.Crashed, Detail: said}
	}
	m.ours.lock.Close()
	m.End(exit)
}

func (m *machine) wasKilled() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.killed
}

// Status tells how it is.
func (m *machine) Status(context.Context) (vm.Status, error) {
	state := m.State()
	if state == vm.Stopped {
		return vm.Status{}, vm.ErrNotRunning
	}
	return vm.Status{
		State: state, Driver: "vz", Accelerator: m.config.Accelerator, CPUs: m.plan.CPUs, Memory: m.plan.Memory,
		Streams: m.streams.count(), Note: m.plan.Note, Version: m.version,
	}, nil
}

// PowerDown presses the power button. A paused guest would not see it.
func (m *machine) PowerDown(ctx context.Context) error {
	if m.State() == vm.Paused {
		if err := m.Resume(ctx); err != nil {
			return err
		}
	}
	return m.change(vm.Stopping, func() error {
		return m.on(func(s *script) {
			var failure object
			if !isTrue(s.call(m.fw.vm, "VZVirtualMachine -requestStopWithError:", &failure)) {
				s.failed("pressing the power button", failure)
			}
		})
	})
}

// Pause stops the processors, Resume lets them run.
func (m *machine) Pause(ctx context.Context) error {
	return m.change(vm.Paused, func() error { return m.ask(ctx, "VZVirtualMachine -pauseWithCompletionHandler:") })
}

// Resume is of vm.Machine.
func (m *machine) Resume(ctx context.Context) error {
	return m.change(vm.Running, func() error { return m.ask(ctx, "VZVirtualMachine -resumeWithCompletionHandler:") })
}

func (m *machine) change(to vm.State, do func() error) error {
	m.verb.Lock()
	defer m.verb.Unlock()
	switch m.State() {
	case vm.Stopped:
		return vm.ErrNotRunning
	case to:
		return nil
	}
	err := do()
	if err == nil {
		err = m.Move(to)
	}
	switch {
	case err == nil || errors.Is(err, vm.ErrNotRunning):
		return err
	case m.State() == vm.Stopped:
		return fmt.Errorf("virtual machine %s: %w", m.config.Name, vm.ErrNotRunning)
	}
	return fmt.Errorf("virtual machine %s: %w", m.config.Name, err)
}

// Kill takes the power away.
func (m *machine) Kill(ctx context.Context) error {
	m.mu.Lock()
	m.killed = m.killed || !m.ending
	first := !m.ending
	m.ending = true
	m.mu.Unlock()
	if first {
		go func() {
			_ = m.stop(context.Background())
			m.end(vm.Exit{Reason: vm.Killed})
		}()
	}
	select {
	case <-m.Done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("killing virtual machine %s: %w", m.config.Name, context.Cause(ctx))
	}
}

// stop is the framework's. Of a machine that was never started, or has ended meanwhile, it is refused and nothing is lost.
func (m *machine) stop(ctx context.Context) error {
	if m.fw.vm == 0 {
		return nil
	}
	switch m.state() {
	case stateStopped, stateError:
		return nil
	}
	return m.ask(ctx, "VZVirtualMachine -stopWithCompletionHandler:")
}

// Close kills it: it has no other owner.
func (m *machine) Close() error { return m.Kill(context.Background()) }

var _ transport.Dialer = (*machine)(nil)
