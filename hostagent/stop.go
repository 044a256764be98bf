package hostagent

import (
	"context"
	"time"

	"github.com/berthhq/berth/hostagent/instance"
	"github.com/berthhq/berth/internal/agentapi"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/machineapi"
)

// Bounds of a stop.
const (
	askWithin  = 5 * time.Second  // for the guest to take the request
	stopWithin = 60 * time.Second // containers are given their own stop timeouts meanwhile
	killWithin = 10 * time.Second
)

// Stop ends the machine; what it keeps is on its disk. Force takes the power away, as a power cut would.
func (a *Agent) Stop(ctx context.Context, force bool, say func(string)) error {
	if err := a.take(ctx); err != nil {
		return err
	}
	defer a.release()
	if err := a.attach(ctx); err != nil {
		return err
	}
	return a.stop(ctx, force, say)
}

// attach finds a machine that an earlier agent has left running, so that it can be stopped.
func (a *Agent) attach(ctx context.Context) error {
	if a.left() != nil || a.inst.Fault() != nil {
		return nil
	}
	m, err := a.find(ctx)
	if m == nil || err != nil {
		return err
	}
	r, err := a.begin(m, a.inst.State().Image)
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.run = r
	a.mu.Unlock()
	go a.watch(r)
	return nil
}

// stop does it in its turn.
func (a *Agent) stop(ctx context.Context, force bool, say func(string)) error {
	r := a.left()
	if r == nil {
		return nil
	}
	r.wish()
	a.become(machineapi.Stopping, "")
	if !force {
		a.askOff(ctx, r, say)
	}
	select {
	case <-r.machine.Done():
	default:
		say("taking the power away")
		kill, cancel := context.WithTimeout(context.WithoutCancel(ctx), killWithin)
		defer cancel()
		if err := r.machine.Kill(kill); err != nil {
			a.become(machineapi.Broken, err.Error())
			return errdefs.System("machine %s does not end: %w", a.cfg.Layout.Name, err).WithHint("berth machine doctor")
		}
	}
	a.forget(r)
	a.become(machineapi.Stopped, "")
	return nil
}

// askOff asks the guest to end, and waits. A guest that hears nothing on its link has its power button pressed.
func (a *Agent) askOff(ctx context.Context, r *run, say func(string)) {
	say("stopping containers and shutting the machine down")
	ask, cancel := context.WithTimeout(ctx, askWithin)
	err := r.link.Call(ask, agentapi.OpPower, agentapi.Power{Action: agentapi.PowerOff}, nil)
	cancel()
	if err != nil {
		if err := r.machine.PowerDown(ctx); err != nil {
			a.cfg.Log.Warn("the power button", "error", err)
		}
	}
	select {
	case <-r.machine.Done():
	case <-ctx.Done():
	case <-time.After(stopWithin):
		say("it has not ended within " + stopWithin.String())
	}
}

// forget lets go of a machine that has ended.
func (a *Agent) forget(r *run) {
	a.mu.Lock()
	mine := a.run == r
	if mine {
		a.run = nil
	}
	a.mu.Unlock()
	if mine {
		r.leave()
		_ = r.machine.Close()
	}
}

// watch waits for the machine's end and notes one that nobody asked for.
func (a *Agent) watch(r *run) {
	<-r.machine.Done()
	if r.wasWished() {
		return
	}
	a.mu.Lock()
	mine := a.run == r
	a.mu.Unlock()
	if !mine { // the agent lets go of it
		return
	}
	why := r.machine.Exit().String()
	if err := a.inst.Update(func(s *instance.State) { s.Ended = why }); err != nil {
		a.cfg.Log.Warn("how the machine ended was not written down", "error", err)
	}
	a.become(machineapi.Stopped, "it ended by itself: "+why)
	a.forget(r)
}

// Restart stops and starts it.
func (a *Agent) Restart(ctx context.Context, say func(string)) error {
	if err := a.take(ctx); err != nil {
		return err
	}
	defer a.release()
	if err := a.attach(ctx); err != nil {
		return err
	}
	if err := a.stop(ctx, false, say); err != nil {
		return err
	}
	return a.start(ctx, say)
}

// Reset stops it and removes its data.
func (a *Agent) Reset(ctx context.Context, say func(string)) error {
	if err := a.take(ctx); err != nil {
		return err
	}
	defer a.release()
	if err := a.attach(ctx); err != nil {
		return err
	}
	if err := a.stop(ctx, true, say); err != nil {
		return err
	}
	say("removing its data")
	if err := a.inst.Reset(); err != nil {
		return err
	}
	a.become(machineapi.Stopped, "")
	return nil
}

// Set changes the settings. Processors and memory are the machine's from its next start on.
func (a *Agent) Set(ctx context.Context, s machineapi.Settings) error {
	if s.Driver != "" && a.cfg.Drivers[s.Driver] == nil {
		return errdefs.Invalid("there is no driver %q on this system", s.Driver)
	}
	if _, err := newShares(nil, a.cfg.Layout, s.Shares, a.cfg.Log); err != nil {
		return errdefs.Invalid("machine %s: %w", a.cfg.Layout.Name, err)
	}
	if err := a.take(ctx); err != nil {
		return err
	}
	defer a.release()
	if s.Driver != "" && s.Driver != a.inst.State().Settings.Driver && a.left() != nil {
		return errdefs.Conflict("machine %s runs under another driver", a.cfg.Layout.Name).WithHint("berth machine stop")
	}
	return a.inst.Set(s)
}

// finish says that a person has stopped the machine.
func (a *Agent) finish() { a.once.Do(func() { close(a.quit) }) }
