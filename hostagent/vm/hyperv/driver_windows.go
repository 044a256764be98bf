package hyperv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/windows"

	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/hostagent/vm/hyperv/document"
	"github.com/berthhq/berth/internal/paths"
)

// Driver is a vm.Driver. Its machines outlive the process.
type Driver struct {
	// Dial opens a stream to a virtual machine, by the identifier that it runs as; nil: by Hyper-V's sockets.
	Dial func(ctx context.Context, machine string, port uint32) (transport.Half, error)
}

var _ vm.Attacher = (*Driver)(nil)

// owner marks the machines that are berth's.
const owner = "berth"

// undoWithin bounds how long a start that failed takes to leave nothing behind.
const undoWithin = 30 * time.Second

// Name is "hyperv".
func (*Driver) Name() string { return "hyperv" }

// Accelerators offers Windows' hypervisor where the service answers.
func (*Driver) Accelerators(string) ([]vm.Accelerator, error) {
	if err := available(); err != nil {
		return nil, err
	}
	return []vm.Accelerator{vm.Hypervisor}, nil
}

// Start starts a machine.
func (d *Driver) Start(ctx context.Context, c vm.Config, files vm.Files) (vm.Machine, error) {
	if err := c.Check(files); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	m, err := d.machine(c)
	if err != nil {
		return nil, err
	}
	if err := m.start(ctx, files); err != nil {
		if errors.Is(err, code(systemExists)) {
			err = vm.ErrRunning
		}
		return nil, fmt.Errorf("starting virtual machine %s: %w", c.Name, err)
	}
	return m, nil
}

func (d *Driver) machine(c vm.Config) (*machine, error) {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("virtual machine %s: %w", c.Name, err)
	}
	c.Dir = dir
	dial := d.Dial
	if dial == nil {
		dial = hvsock
	}
	return &machine{
		Lifecycle: vm.NewLifecycle(), config: c, id: document.Identity(dir), dial: dial,
		streams: streams{open: map[*stream]bool{}},
	}, nil
}

// Attach finds the machine of a directory by its name.
func (d *Driver) Attach(ctx context.Context, c vm.Config) (vm.Machine, error) {
	m, err := d.machine(c)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(paths.Machine{Dir: m.config.Dir}.HyperV())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, vm.ErrNotRunning
	}
	if err == nil {
		dir := m.config.Dir
		err = json.Unmarshal(b, &m.config)
		m.config.Dir = dir
	}
	if err == nil {
		err = m.attach(ctx)
	}
	if errors.Is(err, code(systemNotFound)) {
		err = vm.ErrNotRunning
	}
	if err != nil {
		return nil, fmt.Errorf("virtual machine %s: %w", c.Name, err)
	}
	return m, nil
}

// userSID is whom this process runs as.
func userSID() (string, error) {
	u, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return "", err
	}
	return u.User.Sid.String(), nil
}

func build() document.Build { return document.Build(windows.RtlGetVersion().BuildNumber) }
