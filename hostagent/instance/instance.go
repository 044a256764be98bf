package instance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/machineapi"
	"github.com/berthhq/berth/internal/paths"
)

// Instance is a machine's directory, held by its lock. Its methods may be called from any goroutine.
type Instance struct {
	Layout paths.Machine
	lock   *os.File

	mu    sync.Mutex
	state State
	fault error // why the state file could not be read: nothing is written over it
}

// Open takes a machine's directory, making it where it is missing. Another agent that has it is named by its pid:
// errors of that are Conflict. A state file that cannot be read is no error here but the Fault.
func Open(l paths.Machine, driver string) (*Instance, error) {
	if err := errors.Join(os.MkdirAll(l.Dir, 0o700), os.MkdirAll(l.SocketDir(), 0o700)); err != nil {
		return nil, errdefs.System("machine %s: %w", l.Name, err)
	}
	lock, err := os.OpenFile(l.AgentLock(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, errdefs.System("machine %s: %w", l.Name, err)
	}
	if err := lockFile(lock); err != nil {
		holder := strings.TrimSpace(firstBytes(lock))
		lock.Close()
		return nil, errdefs.Conflict("machine %s is served by another host agent (pid %s)", l.Name, holder)
	}
	if err := errors.Join(lock.Truncate(0), second(lock.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0))); err != nil {
		lock.Close()
		return nil, errdefs.System("machine %s: %w", l.Name, err)
	}
	i := &Instance{Layout: l, lock: lock}
	i.state, i.fault = read(l.State())
	if errors.Is(i.fault, fs.ErrNotExist) {
		i.state, i.fault = State{Settings: Defaults(driver)}, nil
	}
	return i, nil
}

func second(_ int, err error) error { return err }

func firstBytes(f *os.File) string {
	b := make([]byte, 32)
	n, _ := f.ReadAt(b, 0)
	return string(b[:n])
}

// Close lets another agent have it.
func (i *Instance) Close() error { return i.lock.Close() }

// Fault is why the machine cannot be used as its files are; nil where it can.
func (i *Instance) Fault() error { return i.fault }

// State is what is known now.
func (i *Instance) State() State {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.state
}

// Update changes what is known and writes it down. Where that fails, nothing has changed.
func (i *Instance) Update(change func(*State)) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.fault != nil {
		return i.fault
	}
	next := i.state
	change(&next)
	if err := write(i.Layout.State(), next); err != nil {
		return errdefs.System("machine %s: writing %s: %w", i.Layout.Name, i.Layout.State(), err)
	}
	i.state = next
	return nil
}

// Set changes the settings. A disk that is there grows with them; the machine sees it when it is told, or starts.
func (i *Instance) Set(want machineapi.Settings) error {
	merged, err := Merge(i.State().Settings, want)
	if err != nil {
		return err
	}
	if err := i.Update(func(s *State) { s.Settings = merged }); err != nil {
		return err
	}
	return growDisk(i.Layout.DataDisk(), merged.Disk)
}

// Reset removes the data disk and what was learnt; settings stay. The machine must be stopped.
func (i *Instance) Reset() error {
	if err := os.Remove(i.Layout.DataDisk()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errdefs.System("machine %s: %w", i.Layout.Name, err)
	}
	return i.Update(func(s *State) { *s = State{Settings: s.Settings, Image: s.Image, Before: s.Before} })
}
