//go:build linux

package qemu

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/hostagent/vhostvsock"
	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/internal/paths"
)

// Driver is a vm.Driver. Its machines end with this process.
type Driver struct {
	Log func(line string) // what a guest or QEMU does wrong; may be nil
}

// Name is "qemu".
func (*Driver) Name() string { return "qemu" }

// Accelerators offers KVM where /dev/kvm can be opened, which does not prove that it works.
func (*Driver) Accelerators(arch string) ([]vm.Accelerator, error) {
	if _, err := find(context.Background(), arch); err != nil {
		return nil, err
	}
	if arch == runtime.GOARCH {
		if f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0); err == nil {
			f.Close()
			return []vm.Accelerator{vm.KVM, vm.Emulation}, nil
		}
	}
	return []vm.Accelerator{vm.Emulation}, nil
}

// Start starts a machine.
func (d *Driver) Start(ctx context.Context, c vm.Config, files vm.Files) (_ vm.Machine, err error) {
	if err := c.Check(files); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	program, err := find(ctx, c.Arch)
	if err != nil {
		return nil, err
	}
	m := &machine{Lifecycle: vm.NewLifecycle(), config: c, host: host{arch: runtime.GOARCH, qemu: program, tscKHz: tscKHz()}}
	if m.lock, err = lock(c); err != nil {
		return nil, err
	}
	m.device = vhostvsock.New(transport.GuestCID, d.Log)
	if err := m.start(ctx, files); err != nil {
		m.lock.Close()
		return nil, fmt.Errorf("starting virtual machine %s: %w", c.Name, err)
	}
	return m, nil
}

// lock says that the machine of a directory runs; the kernel lets go of it with this process.
func lock(c vm.Config) (*os.File, error) {
	f, err := os.OpenFile(paths.Machine{Dir: c.Dir}.Lock(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("virtual machine %s: %w", c.Name, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = vm.ErrRunning
		}
		return nil, fmt.Errorf("virtual machine %s: %w", c.Name, err)
	}
	return f, nil
}

// pair is a connection of which QEMU gets one end.
func pair() (ours *net.UnixConn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	theirs = os.NewFile(uintptr(fds[1]), "qemu")
	f := os.NewFile(uintptr(fds[0]), "pair")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return c.(*net.UnixConn), theirs, nil
}
