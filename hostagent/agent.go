package hostagent

import (
	"context"
	"log/slog"
	"os"
	"sync"

	"github.com/berthhq/berth/hostagent/bootimage"
	"github.com/berthhq/berth/hostagent/instance"
	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/machineapi"
	"github.com/berthhq/berth/internal/paths"
)

// Config is what an Agent is made of.
type Config struct {
	Layout  paths.Machine
	Drivers map[string]vm.Driver // by name
	Driver  string               // of a machine that nobody chose one for
	Images  bootimage.Store
	Digest  string // of the image to boot
	Arch    string // of the guest, as GOARCH
	Log     *slog.Logger
}

// Agent holds one machine. Its methods may be called from any goroutine.
type Agent struct {
	cfg     Config
	inst    *instance.Instance
	turn    chan struct{} // holds one element while a verb changes the machine
	quit    chan struct{} // closed once a person has stopped the machine
	once    sync.Once
	private private // ports of the host that no container may reach

	mu     sync.Mutex
	state  machineapi.State
	reason string
	run    *run // nil while there is no machine
}

// New takes the machine's directory. Errors: Conflict where another agent has it.
func New(c Config) (*Agent, error) {
	inst, err := instance.Open(c.Layout, c.Driver)
	if err != nil {
		return nil, err
	}
	a := &Agent{cfg: c, inst: inst, turn: make(chan struct{}, 1), quit: make(chan struct{}), state: machineapi.Stopped}
	switch {
	case inst.Fault() != nil:
		a.state, a.reason = machineapi.Broken, inst.Fault().Error()
	case !instance.Exists(c.Layout.State()):
		a.state = machineapi.Absent
	default:
		a.reason = inst.State().Ended
	}
	return a, nil
}

// Close lets go of the machine, which runs on where its driver lets it (vm.Attacher), and of its directory.
func (a *Agent) Close() error {
	a.mu.Lock()
	r := a.run
	a.run = nil
	a.mu.Unlock()
	if r != nil {
		r.leave()
		_ = r.machine.Close()
	}
	return a.inst.Close()
}

// take waits for the turn to change the machine.
func (a *Agent) take(ctx context.Context) error {
	select {
	case a.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errdefs.Unavailable("machine %s is busy: %w", a.cfg.Layout.Name, ctx.Err())
	}
}

func (a *Agent) release() { <-a.turn }

// become changes the state that people are shown.
func (a *Agent) become(s machineapi.State, reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state, a.reason = s, reason
	a.cfg.Log.Info("machine", "name", a.cfg.Layout.Name, "state", s, "reason", reason)
}

// running is the machine that runs, or nil.
func (a *Agent) running() *run {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state != machineapi.Running {
		return nil
	}
	return a.run
}

// driver is the one that the settings name. Errors: NotImplemented.
func (a *Agent) driver() (vm.Driver, error) {
	name := a.inst.State().Settings.Driver
	if d := a.cfg.Drivers[name]; d != nil {
		return d, nil
	}
	return nil, errdefs.NotImplemented("machine %s: there is no driver %q on this system", a.cfg.Layout.Name, name).
		WithHint("berth machine start --driver %s", a.cfg.Driver)
}

// Stopped is closed once a person has stopped the machine: nothing is left to serve.
func (a *Agent) Stopped() <-chan struct{} { return a.quit }

// Status is how the machine is.
func (a *Agent) Status(ctx context.Context) machineapi.Machine {
	a.mu.Lock()
	m := machineapi.Machine{
		Name: a.cfg.Layout.Name, State: a.state, Reason: a.reason, AgentPID: os.Getpid(),
		Socket: a.cfg.Layout.DockerSocket(), Dir: a.cfg.Layout.Dir, Image: a.cfg.Digest,
	}
	r := a.run
	a.mu.Unlock()
	m.Settings, m.DiskUsed = a.inst.State().Settings, a.inst.DiskUsed()
	if r != nil {
		r.describe(ctx, &m)
	}
	return m
}
