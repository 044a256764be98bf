package vm

import (
	"context"
	"errors"

	"github.com/berthhq/berth/hostagent/transport"
)

// Driver starts virtual machines by means of one hypervisor. All methods may be called from any goroutine.
type Driver interface {
	// Name is the driver's name as a person writes it: qemu, hyperv, vz.
	Name() string
	// Accelerators lists what this machine seems to offer for a guest of the architecture, best first, at least one.
	// That an accelerator is listed proves nothing: only a guest that answers does (see Prove).
	Accelerators(arch string) ([]Accelerator, error)
	// Start begins a machine and returns when its processors run; the guest is not awaited. The end of ctx stops the
	// start and nothing later. A second start for the same Config.Dir fails with ErrRunning. After an error nothing
	// is left running. The files stay the caller's.
	Start(ctx context.Context, c Config, files Files) (Machine, error)
}

// Attacher is a driver whose machines outlive the process that started them.
type Attacher interface {
	Driver
	// Attach finds the machine that runs for Config.Dir (no other field is needed); ErrNotRunning where there is none.
	Attach(ctx context.Context, c Config) (Machine, error)
}

// Machine is a started virtual machine. All methods may be called from any goroutine, each as often as one likes: what
// is so already is no error. Once the machine has ended, all of them but Kill, Done, Exit and Close fail with
// ErrNotRunning.
type Machine interface {
	transport.Dialer
	// Status tells how it is.
	Status(ctx context.Context) (Status, error)
	// PowerDown presses the guest's power button. The guest may take its time or ignore it: wait for Done, then Kill.
	PowerDown(ctx context.Context) error
	// Pause stops the processors, Resume lets them run again. Streams stay open meanwhile and carry nothing.
	Pause(ctx context.Context) error
	Resume(ctx context.Context) error
	// Kill takes the power away and returns when the machine is gone. Of an ended machine it is no error.
	Kill(ctx context.Context) error
	// Done is closed when the machine has ended, for whatever reason; every stream has failed by then.
	Done() <-chan struct{}
	// Exit says why it ended, once Done is closed.
	Exit() Exit
	// Close lets go of the machine. That of an Attacher runs on, any other is killed.
	Close() error
}

// Errors of drivers and machines, to be found by errors.Is.
var (
	ErrNotRunning = errors.New("the virtual machine is not running")
	ErrRunning    = errors.New("the virtual machine is running already")
)

// Status is how a machine is.
type Status struct {
	State       State       `json:"state"`
	Driver      string      `json:"driver"`
	Accelerator Accelerator `json:"accelerator"`
	CPUs        int         `json:"cpus"`
	Memory      int64       `json:"memory"`
	PID         int         `json:"pid,omitempty"`     // of the hypervisor's process, where it has one
	Streams     int         `json:"streams"`           // open now
	Note        string      `json:"note,omitempty"`    // why something is not as it was asked for
	Version     string      `json:"version,omitempty"` // of the hypervisor
}
