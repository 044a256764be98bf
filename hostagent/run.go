package hostagent

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/berthhq/berth/hostagent/guestlink"
	"github.com/berthhq/berth/hostagent/portforward"
	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/hostagent/vnet"
	"github.com/berthhq/berth/internal/agentapi"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/machineapi"
)

// run is one machine from its start to its end, with what keeps in touch with its guest.
type run struct {
	machine vm.Machine
	image   string // digest; empty where the machine was found running and nobody knows
	link    *guestlink.Client
	ports   *portforward.Forwarder
	shares  *shares
	net     *vnet.Network
	life    context.Context // of what keeps in touch with the guest
	cancel  context.CancelFunc
	parts   sync.WaitGroup
	ready   chan struct{} // closed once the engine answers

	mu      sync.Mutex
	welcome agentapi.Welcome
	isReady bool
	wished  bool          // its end was asked for
	fault   error         // why the engine will not answer
	failed  chan struct{} // closed with the fault
}

func newRun(m vm.Machine, image string, sh *shares, out *vnet.Network) *run {
	r := &run{machine: m, image: image, net: out, ready: make(chan struct{}), failed: make(chan struct{}), ports: portforward.New(m), shares: sh}
	r.link = &guestlink.Client{
		Guest: m, Up: r.up, Event: r.event, Handle: r.handle, Features: []agentapi.Feature{agentapi.FeaturePorts, agentapi.FeatureMounts},
	}
	return r
}

// handle answers what the guest asks for.
func (r *run) handle(ctx context.Context, op agentapi.Op, body json.RawMessage) (any, error) {
	var do func(agentapi.Port) error
	switch op {
	case agentapi.OpPortOpen:
		do = r.ports.Open
	case agentapi.OpPortClose:
		do = r.ports.Close
	case agentapi.OpPath:
		q, err := agentapi.Decode[agentapi.PathQuery](body)
		if err != nil {
			return nil, err
		}
		return r.shares.find(ctx, r.life, q)
	default:
		return nil, agentapi.Errorf(agentapi.CodeUnknown, "this host agent does not know %q: it is older than the image", op)
	}
	p, err := agentapi.Decode[agentapi.Port](body)
	if err != nil {
		return nil, err
	}
	return nil, do(p)
}

// begin keeps the link until leave.
func (r *run) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.life = cancel, ctx
	r.parts.Go(func() { r.net.Run(ctx, r.machine) })
	r.parts.Go(func() {
		if err := r.link.Run(ctx); err != nil {
			r.fail(errdefs.Unavailable("%w", err))
		}
	})
}

// leave ends what keeps in touch with the guest, not the machine.
func (r *run) leave() {
	r.cancel()
	r.parts.Wait()
	r.ports.End()
	r.net.Close()
}

func (r *run) up(w agentapi.Welcome) {
	r.mu.Lock()
	r.welcome = w
	r.mu.Unlock()
	r.shares.linked(w.Boot)
	if w.Status.Engine {
		r.engineAnswers()
	}
	if f := w.Status.Disk.Fault; f != "" {
		r.fail(errdefs.System("the machine's data disk: %s", f).WithHint("berth machine doctor"))
	}
}

func (r *run) event(e agentapi.Event) {
	switch {
	case e.Kind == agentapi.EventReady:
		r.engineAnswers()
	case e.Kind == agentapi.EventDisk && e.Disk != nil && e.Disk.Fault != "":
		r.fail(errdefs.System("the machine's data disk: %s", e.Disk.Fault).WithHint("berth machine doctor"))
	}
}

func (r *run) engineAnswers() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.isReady {
		r.isReady = true
		close(r.ready)
	}
}

// fail says why the engine will not answer; the first reason stays.
func (r *run) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fault == nil {
		r.fault = err
		close(r.failed)
	}
}

// awaitEngine waits until the engine answers.
func (r *run) awaitEngine(ctx context.Context) error {
	select {
	case <-r.ready:
		return nil
	case <-r.failed:
		return r.fault
	case <-r.machine.Done():
		return errdefs.System("the virtual machine ended: %s", r.machine.Exit())
	case <-ctx.Done():
		return errdefs.Unavailable("the engine in the virtual machine does not answer: %w", context.Cause(ctx)).
			WithHint("berth machine logs shows what the machine says")
	}
}

// wish says that the end which comes is wanted.
func (r *run) wish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wished = true
}

func (r *run) wasWished() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.wished
}

// describeWithin bounds what a status waits for a guest.
const describeWithin = 2 * time.Second

// describe adds what is known of a machine that runs.
func (r *run) describe(ctx context.Context, m *machineapi.Machine) {
	ctx, cancel := context.WithTimeout(ctx, describeWithin)
	defer cancel()
	if r.image != "" {
		m.Image = r.image
	}
	if st, err := r.machine.Status(ctx); err == nil {
		m.Accelerator, m.PID = string(st.Accelerator), st.PID
		m.Settings.CPUs, m.Settings.Memory = st.CPUs, st.Memory // what it has, not what it would be given
	}
	r.mu.Lock()
	m.Kernel, m.Agent = r.welcome.Kernel, r.welcome.Agent
	r.mu.Unlock()
	var guest agentapi.Status
	if err := r.link.Call(ctx, agentapi.OpStatus, nil, &guest); err == nil {
		m.Engine, m.UptimeMS = guest.Engine, guest.UptimeMS
	}
}
