//go:build linux

package firewalld

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

// patience is how long firewalld may take for one change; each makes it write its tables anew.
const patience = 30 * time.Second

// Follower keeps bridges bound to a zone of firewalld. A nil Follower is one of a machine without a system bus: it does
// nothing.
type Follower struct {
	bus   *dbus.Conn
	log   *slog.Logger
	stop  context.CancelFunc
	ended sync.WaitGroup

	mu      sync.Mutex // held over calls, so that bindings are made and undone in order
	bridges map[string]bool
}

// Open follows the firewalld of this network namespace, whether it runs already or is started later. It is nil where
// there is no system bus.
func Open(ctx context.Context, log *slog.Logger) *Follower {
	bus, err := dbus.ConnectSystemBus(dbus.WithContext(context.WithoutCancel(ctx)))
	if err != nil {
		return nil
	}
	f := &Follower{bus: bus, log: log, bridges: map[string]bool{}}
	ctx, f.stop = context.WithCancel(context.WithoutCancel(ctx))
	events := make(chan *dbus.Signal, 16)
	bus.Signal(events)
	err = errors.Join(
		bus.AddMatchSignal(dbus.WithMatchInterface(name), dbus.WithMatchMember("Reloaded")),
		bus.AddMatchSignal(dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, name)),
	)
	if err != nil {
		log.Warn("firewalld is not followed", "error", err)
	}
	f.ended.Go(func() { f.follow(ctx, events) })
	return f
}

// Close forgets firewalld and leaves the bindings: the containers go on.
func (f *Follower) Close() {
	if f == nil {
		return
	}
	f.stop()
	f.bus.Close()
	f.ended.Wait()
}

// Bind lets a bridge's packets pass, now if firewalld runs and whenever it comes back.
func (f *Follower) Bind(ctx context.Context, bridges ...string) error {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range bridges {
		f.bridges[b] = true
	}
	return f.bind(ctx, bridges)
}

// Unbind undoes Bind.
func (f *Follower) Unbind(ctx context.Context, bridge string) error {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.bridges, bridge)
	if !f.runs(ctx) {
		return nil
	}
	return f.remove(ctx, bridge)
}

// follow binds everything again when firewalld lost it.
func (f *Follower) follow(ctx context.Context, events <-chan *dbus.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case ev, open := <-events:
			if !open {
				return
			}
			if !lost(ev) {
				continue
			}
		}
		f.mu.Lock()
		err := f.bind(ctx, slices.Sorted(maps.Keys(f.bridges)))
		f.mu.Unlock()
		if err != nil && ctx.Err() == nil {
			f.log.Warn("firewalld may stop containers' packets", "error", err)
		}
	}
}

// lost says whether firewalld begins anew: it has reloaded, or it has taken its name on the bus.
func lost(ev *dbus.Signal) bool {
	if ev.Name == name+".Reloaded" {
		return true
	}
	if len(ev.Body) < 3 {
		return false
	}
	taken, _ := ev.Body[0].(string)
	owner, _ := ev.Body[2].(string)
	return ev.Name == "org.freedesktop.DBus.NameOwnerChanged" && taken == name && owner != ""
}

// bind is Bind for who holds mu.
func (f *Follower) bind(ctx context.Context, bridges []string) error {
	if len(bridges) == 0 || !f.runs(ctx) {
		return nil
	}
	zone, err := f.zone(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, b := range bridges {
		errs = append(errs, f.add(ctx, zone, b))
	}
	return errors.Join(errs...)
}
