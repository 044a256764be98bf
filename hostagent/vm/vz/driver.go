//go:build darwin || linux

package vz

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
)

// Driver is a vm.Driver. Its machines end with this process.
type Driver struct {
	host   Host // what is known without asking the framework
	open   func() (runtime, error)
	pathOf func(*os.File) (string, error)
}

// Name is "vz".
func (*Driver) Name() string { return "vz" }

// Accelerators offers the hypervisor where the framework says that it is supported.
func (d *Driver) Accelerators(arch string) ([]vm.Accelerator, error) {
	if arch != d.host.Arch {
		return nil, errdefs.NotImplemented("macOS runs guests of its own processor (%s) and no %s", d.host.Arch, arch)
	}
	if _, _, err := d.ask(); err != nil {
		return nil, err
	}
	return []vm.Accelerator{vm.Hypervisor}, nil
}

// ask opens the framework and learns what it offers.
func (d *Driver) ask() (*script, Host, error) {
	t, err := knownMethods()
	if err != nil {
		return nil, Host{}, err
	}
	rt, err := d.open()
	if err != nil {
		return nil, Host{}, err
	}
	if missing := lacking(rt, t, major(d.host.MacOS)); len(missing) > 0 {
		return nil, Host{}, errdefs.NotImplemented("macOS %s has no %s", d.host.MacOS, missing[0]).WithHint("update macOS, or berth")
	}
	s := &script{rt: rt, table: t}
	var h Host
	rt.pool(func() { h = s.host(d.host) })
	return s, h, s.err
}

// lacking are the methods that a macOS should have and has not.
func lacking(rt runtime, t *table, macOS int) (missing []string) {
	for name, m := range t.methods {
		if _, ok := rt.understands(m); !ok && m.since <= macOS {
			missing = append(missing, name)
		}
	}
	return missing
}

// Differences says where the framework of this Mac is another than the table of its methods has it: one line each.
func (d *Driver) Differences() ([]string, error) {
	t, err := knownMethods()
	if err != nil {
		return nil, err
	}
	rt, err := d.open()
	if err != nil {
		return nil, err
	}
	var all []string
	for name, m := range t.methods {
		encoding, ok := rt.understands(m)
		switch {
		case !ok && m.since <= major(d.host.MacOS):
			all = append(all, name+" is missing")
		case ok && !sameEncoding(m.encoding(), encoding):
			all = append(all, fmt.Sprintf("%s is %s, not %s", name, encoding, m.encoding()))
		}
	}
	return all, nil
}

// Start starts a machine.
func (d *Driver) Start(ctx context.Context, c vm.Config, files vm.Files) (vm.Machine, error) {
	if err := c.Check(files); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	p, err := d.paths(files)
	if err != nil {
		return nil, fmt.Errorf("virtual machine %s: %w", c.Name, err)
	}
	s, host, err := d.ask()
	if err != nil {
		return nil, fmt.Errorf("virtual machine %s: %w", c.Name, err)
	}
	plan, err := NewPlan(c, host, p)
	if err != nil {
		return nil, err
	}
	lock, err := lock(c)
	if err != nil {
		return nil, err
	}
	m, err := newMachine(c, plan, s.rt, s.table, lock)
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("starting virtual machine %s: %w", c.Name, err)
	}
	m.version = "macOS " + host.MacOS
	if err := m.start(ctx); err != nil {
		return nil, fmt.Errorf("starting virtual machine %s: %w", c.Name, err)
	}
	return m, nil
}

// paths are the files' names: the framework opens files itself. What was verified is what a name must still lead to.
func (d *Driver) paths(files vm.Files) (p Paths, err error) {
	var all []error
	name := func(f *os.File) string {
		path, err := d.pathOf(f)
		if err == nil {
			err = sameFile(f, path)
		}
		all = append(all, err)
		return path
	}
	p.Kernel = name(files.Kernel)
	if files.Initrd != nil {
		p.Initrd = name(files.Initrd)
	}
	for _, f := range files.Disks {
		p.Disks = append(p.Disks, name(f))
	}
	return p, errors.Join(all...)
}

func sameFile(f *os.File, path string) error {
	open, err := f.Stat()
	if err != nil {
		return err
	}
	named, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !os.SameFile(open, named) {
		return fmt.Errorf("%s was replaced while the machine was being started: start it again", path)
	}
	return nil
}

// lock says that the machine of a directory runs; the kernel lets go of it with this process.
func lock(c vm.Config) (*os.File, error) {
	f, err := os.OpenFile(paths.Machine{Dir: c.Dir}.Lock(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("virtual machine %s: %w", c.Name, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = vm.ErrRunning
		}
		return nil, fmt.Errorf("virtual machine %s: %w", c.Name, err)
	}
	return f, nil
}
