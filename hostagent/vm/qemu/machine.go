//go:build linux

package qemu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/hostagent/vhostvsock"
	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/hostagent/vm/console"
	"github.com/berthhq/berth/internal/paths"
)

// machine is a running QEMU with its device.
type machine struct {
	*vm.Lifecycle
	config  vm.Config
	host    host
	lock    *os.File
	device  *vhostvsock.Device
	process *process
	monitor *monitor
	console *console.Console

	verb sync.Mutex // one change of state at a time

	mu     sync.Mutex
	why    string // QEMU's own word for the guest's end
	killed bool
}

// start makes the connections, starts QEMU and waits until its processors run.
func (m *machine) start(ctx context.Context, files vm.Files) (err error) {
	if m.console, err = console.Open(paths.Machine{Dir: m.config.Dir}, nil); err != nil {
		return err
	}
	var theirs []*os.File
	letGo := func() {
		for _, f := range theirs {
			f.Close()
		}
		theirs = nil
	}
	defer letGo()
	connect := func(use func(c *net.UnixConn)) error {
		ours, file, err := pair()
		if err == nil {
			theirs = append(theirs, file)
			use(ours)
		}
		return err
	}
	served, said := make(chan struct{}), make(chan struct{})
	err = errors.Join( // in the order of the descriptors
		connect(func(c *net.UnixConn) { go func() { _ = m.device.Serve(c); c.Close(); close(served) }() }),
		connect(func(c *net.UnixConn) { m.monitor = newMonitor(c, m.event) }),
		connect(func(c *net.UnixConn) { go func() { m.console.Copy(c); close(said) }() }),
	)
	if err != nil {
		return err
	}
	inherited := append(theirs[:len(theirs):len(theirs)], files.Kernel)
	initrd := files.Initrd
	if initrd == nil {
		null, err := os.Open(os.DevNull)
		if err != nil {
			return err
		}
		theirs = append(theirs, null)
		initrd = null
	}
	inherited = append(append(inherited, initrd), files.Disks...)
	if m.process, err = run(m.host.qemu.Path, m.host.arguments(m.config, files.Initrd != nil), inherited); err != nil {
		return err
	}
	letGo() // before anything waits for QEMU's end, which these would hide
	go m.wait(served, said)
	if err = m.monitor.open(ctx); err == nil {
		err = m.Move(vm.Running)
	}
	if err == nil {
		return nil
	}
	m.process.kill()
	<-m.Done()
	if said := m.process.said.line(); said != "" && ctx.Err() == nil {
		err = errors.New(said)
	}
	return err
}

// wait ends the life cycle when QEMU has ended: by then streams have failed and the console is written down.
func (m *machine) wait(served, said <-chan struct{}) {
	<-m.process.done
	<-served
	<-said
	exit := m.exit()
	m.lock.Close()
	m.End(exit)
}

// event takes what QEMU says by itself.
func (m *machine) event(name string, data json.RawMessage) {
	switch name {
	case "SHUTDOWN":
		var d struct {
			Reason string `json:"reason"`
		}
		_ = json.Unmarshal(data, &d)
		m.mu.Lock()
		m.why = d.Reason
		m.mu.Unlock()
		_ = m.Move(vm.Stopping)
	}
}

// exit says why the machine ended.
func (m *machine) exit() vm.Exit {
	m.mu.Lock()
	defer m.mu.Unlock()
	panicked := m.console.Panicked()
	switch {
	case m.killed:
		return vm.Exit{Reason: vm.Killed}
	case m.why == "guest-shutdown":
		return vm.Exit{Reason: vm.PoweredOff}
	case m.why == "guest-reset" && panicked == "":
		return vm.Exit{Reason: vm.Crashed, Detail: "the guest reset itself"}
	case m.why == "guest-reset" || m.why == "guest-panic":
		return vm.Exit{Reason: vm.Crashed, Detail: panicked}
	}
	detail := m.process.said.line()
	if detail == "" && m.process.err != nil {
		detail = "QEMU: " + m.process.err.Error()
	}
	return vm.Exit{Reason: vm.Failed, Detail: detail}
}

// Dial opens a stream to a port of the guest.
func (m *machine) Dial(ctx context.Context, port uint32) (transport.Conn, error) {
	c, err := m.device.Dial(ctx, port)
	if err != nil {
		if m.State() == vm.Stopped {
			err = vm.ErrNotRunning
		}
		return nil, fmt.Errorf("dialing port %d of virtual machine %s: %w", port, m.config.Name, err)
	}
	return c, nil
}

// Status tells how it is.
func (m *machine) Status(context.Context) (vm.Status, error) {
	state := m.State()
	if state == vm.Stopped {
		return vm.Status{}, vm.ErrNotRunning
	}
	cpus, note := m.host.cpus(m.config)
	return vm.Status{
		State: state, Driver: "qemu", Accelerator: m.config.Accelerator, CPUs: cpus, Memory: m.config.Memory,
		PID: m.process.cmd.Process.Pid, Streams: m.device.Streams(), Note: note, Version: m.host.qemu.String(),
	}, nil
}

// PowerDown presses the power button.
func (m *machine) PowerDown(ctx context.Context) error {
	if m.State() == vm.Paused { // nobody would see it
		if err := m.Resume(ctx); err != nil {
			return err
		}
	}
	return m.change(ctx, vm.Stopping, "system_powerdown")
}

// Pause stops the processors, Resume lets them run.
func (m *machine) Pause(ctx context.Context) error  { return m.change(ctx, vm.Paused, "stop") }
func (m *machine) Resume(ctx context.Context) error { return m.change(ctx, vm.Running, "cont") }

func (m *machine) change(ctx context.Context, to vm.State, command string) error {
	m.verb.Lock()
	defer m.verb.Unlock()
	switch m.State() {
	case vm.Stopped:
		return vm.ErrNotRunning
	case to:
		return nil
	}
	err := m.monitor.do(ctx, command)
	if err == nil {
		err = m.Move(to)
	}
	if err == nil || errors.Is(err, vm.ErrNotRunning) {
		return err
	}
	if m.State() == vm.Stopped || errors.Is(err, errMonitorGone) {
		return fmt.Errorf("virtual machine %s: %w (%w)", m.config.Name, vm.ErrNotRunning, err)
	}
	return fmt.Errorf("virtual machine %s: %w", m.config.Name, err)
}

// Kill takes the power away.
func (m *machine) Kill(ctx context.Context) error {
	m.mu.Lock()
	m.killed = true
	m.mu.Unlock()
	m.process.kill()
	select {
	case <-m.Done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("killing virtual machine %s: %w", m.config.Name, context.Cause(ctx))
	}
}

// Close kills it: it has no other owner.
func (m *machine) Close() error { return m.Kill(context.Background()) }
