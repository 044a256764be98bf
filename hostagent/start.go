package hostagent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/berthhq/berth/hostagent/guestlink"
	"github.com/berthhq/berth/hostagent/instance"
	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/hostagent/vnet"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/machineapi"
)

// Bounds of a start. A guest boots in 2 to 10 s in software emulation on a busy machine, in less than one with hardware.
var (
	hardwareWait  = 20 * time.Second
	emulationWait = 90 * time.Second
	engineWait    = 90 * time.Second // from the guest's first answer until its engine's
)

// Start brings the machine and its engine up; say is told each step. Two who ask at once get the same machine.
func (a *Agent) Start(ctx context.Context, say func(string)) error {
	if a.running() != nil {
		return nil
	}
	if err := a.take(ctx); err != nil {
		return err
	}
	defer a.release()
	if a.running() != nil {
		return nil
	}
	return a.start(ctx, say)
}

// start does it in its turn.
func (a *Agent) start(ctx context.Context, say func(string)) error {
	if err := a.inst.Fault(); err != nil {
		return err
	}
	a.become(machineapi.Starting, "")
	if ended := a.inst.State().Ended; ended != "" {
		say("the machine had ended by itself: " + ended)
	}
	r, err := a.bring(ctx, say)
	if err != nil {
		a.become(machineapi.Broken, err.Error())
		return err
	}
	a.mu.Lock()
	a.run = r
	a.mu.Unlock()
	go a.watch(r)
	ctx, cancel := context.WithTimeoutCause(ctx, engineWait, fmt.Errorf("not within %s", engineWait))
	defer cancel()
	say("waiting for the engine")
	if err := r.awaitEngine(ctx); err != nil {
		a.become(machineapi.Broken, err.Error())
		return err
	}
	a.become(machineapi.Running, "")
	return a.inst.Update(func(s *instance.State) { s.Ended = "" })
}

// bring finds the machine running or boots it.
func (a *Agent) bring(ctx context.Context, say func(string)) (*run, error) {
	if r := a.left(); r != nil { // of a start that its engine did not answer to
		return r, nil
	}
	d, err := a.driver()
	if err != nil {
		return nil, err
	}
	m, err := a.find(ctx)
	if err != nil {
		return nil, err
	}
	if m != nil {
		say("the machine was running already")
		return a.begin(m, a.inst.State().Image)
	}
	return a.boot(ctx, d, say)
}

// find is the machine that an earlier agent has left running, or nil.
func (a *Agent) find(ctx context.Context) (vm.Machine, error) {
	d, err := a.driver()
	if err != nil {
		return nil, err
	}
	at, ok := d.(vm.Attacher)
	if !ok {
		return nil, nil
	}
	m, err := at.Attach(ctx, vm.Config{Name: a.cfg.Layout.Name, Dir: a.cfg.Layout.Dir})
	switch {
	case errors.Is(err, vm.ErrNotRunning):
		return nil, nil
	case err != nil:
		return nil, a.ofDriver(err)
	}
	return m, nil
}

// left is a machine that runs although the last start failed.
func (a *Agent) left() *run {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.run
}

// begin keeps in touch with a machine's guest.
func (a *Agent) begin(m vm.Machine, image string) (*run, error) {
	sh, err := newShares(m, a.cfg.Layout, a.inst.State().Settings.Shares, a.cfg.Log)
	if err != nil {
		return nil, errdefs.Invalid("machine %s: %w", a.cfg.Layout.Name, errors.Join(err, m.Close()))
	}
	out, err := vnet.New(vnet.Options{Private: func(port uint16) bool { return a.private.has(port) || ofWindow(port) }})
	if err != nil {
		return nil, errdefs.System("machine %s: %w", a.cfg.Layout.Name, errors.Join(err, m.Close()))
	}
	r := newRun(m, image, sh, out)
	r.begin()
	return r, nil
}

// boot starts the machine with the image of this berth. Where its guest does not answer, the image that last did is gone
// back to.
func (a *Agent) boot(ctx context.Context, d vm.Driver, say func(string)) (*run, error) {
	known := a.inst.State()
	if known.Image != "" && known.Unfit == a.cfg.Digest {
		return a.bootImage(ctx, d, known.Image, say)
	}
	r, err := a.bootImage(ctx, d, a.cfg.Digest, say)
	if err == nil {
		if err := a.answered(known.Image); err != nil { // at the next start, then
			a.cfg.Log.Warn("the image that works was not noted", "error", err)
		}
		return r, nil
	}
	if known.Image == "" || known.Image == a.cfg.Digest || ctx.Err() != nil {
		return nil, err
	}
	say(fmt.Sprintf("the new image does not work (%v): going back to the one before", err))
	back, berr := a.bootImage(ctx, d, known.Image, say)
	if berr != nil {
		return nil, errors.Join(err, berr)
	}
	if err := a.inst.Update(func(s *instance.State) { s.Unfit = a.cfg.Digest }); err != nil {
		a.cfg.Log.Warn("the image that does not work was not noted", "error", err)
	}
	return back, nil
}

// answered notes the image that works and lets older ones go.
func (a *Agent) answered(was string) error {
	now := a.cfg.Digest
	if was == now {
		return nil
	}
	if err := a.inst.Update(func(s *instance.State) { s.Image, s.Before = now, was }); err != nil {
		return err
	}
	return a.cfg.Images.Prune(now, was)
}

// bootImage starts the machine with one image and waits for its guest's answer.
func (a *Agent) bootImage(ctx context.Context, d vm.Driver, digest string, say func(string)) (*run, error) {
	img, err := a.cfg.Images.Open(digest)
	if err != nil {
		return nil, err
	}
	defer img.Close()
	disk, err := a.inst.OpenDisk()
	if err != nil {
		return nil, err
	}
	defer disk.Close()
	try, err := a.accelerators(d)
	if err != nil {
		return nil, err
	}
	set := a.inst.State().Settings
	c := vm.Config{
		Name: a.cfg.Layout.Name, Dir: a.cfg.Layout.Dir, Arch: a.cfg.Arch, CPUs: set.CPUs, Memory: set.Memory,
		Disks: []vm.Disk{{Name: "data"}},
	}
	files := vm.Files{Kernel: img.Kernel, Initrd: img.Initrd, Disks: []*os.File{disk}}
	say("starting the machine")
	p := vm.Proof{
		Wait: hardwareWait, Patience: emulationWait,
		Answers: func(ctx context.Context, m vm.Machine) error { return (&guestlink.Client{Guest: m}).Answers(ctx) },
		GivenUp: func(acc vm.Accelerator, err error) { a.givenUp(acc, err, say) },
	}
	m, accel, err := p.Prove(ctx, d, c, files, try)
	if err != nil {
		return nil, a.ofDriver(err)
	}
	if err := a.inst.Update(func(s *instance.State) { s.Proven = string(accel) }); err != nil {
		return nil, errors.Join(err, m.Kill(ctx), m.Close())
	}
	return a.begin(m, digest)
}

// accelerators are those to try: what the driver offers without what was given up on this host's kernel before.
func (a *Agent) accelerators(d vm.Driver) ([]vm.Accelerator, error) {
	offered, err := d.Accelerators(a.cfg.Arch)
	if err != nil {
		return nil, a.ofDriver(err)
	}
	hopeless, kernel := a.inst.State().Hopeless, hostKernel()
	try := slices.DeleteFunc(slices.Clone(offered), func(acc vm.Accelerator) bool {
		on, ok := hopeless[string(acc)]
		return ok && on == kernel
	})
	if len(try) == 0 {
		return offered, nil
	}
	return try, nil
}

// ofDriver names the machine in a driver's error. The driver's own advice, where it has some, is the person's.
func (a *Agent) ofDriver(err error) error {
	e := errdefs.System("machine %s: %w", a.cfg.Layout.Name, err)
	type adviser interface {
		error
		Hint() string
	}
	if d, ok := errors.AsType[adviser](err); ok && d.Hint() != "" {
		return e.WithHint("%s", d.Hint())
	}
	return e.WithHint("berth machine doctor")
}

// givenUp remembers an accelerator that is there and does not work, and says so: once, since it is not tried again.
func (a *Agent) givenUp(acc vm.Accelerator, why error, say func(string)) {
	if acc == vm.Emulation {
		return // the last resort is always tried
	}
	say(fmt.Sprintf("%s does not work here (%v): the machine runs in software emulation, which is slower", acc, why))
	err := a.inst.Update(func(s *instance.State) {
		next := map[string]string{string(acc): hostKernel()}
		for k, v := range s.Hopeless {
			if k != string(acc) {
				next[k] = v
			}
		}
		s.Hopeless = next
	})
	if err != nil {
		a.cfg.Log.Warn("what does not work was not remembered", "error", err)
	}
}
