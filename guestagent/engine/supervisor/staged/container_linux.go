//go:build cgo && seccomp

package staged

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/filter"
	"github.com/berthhq/berth/guestagent/engine/supervisor/identity"
	"github.com/berthhq/berth/guestagent/engine/supervisor/park"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/guestagent/engine/supervisor/stage"
	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/manager"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Container is a started one.
type Container struct {
	pid      int
	cgroup   *cgroup
	launcher *Launcher
	filter   *filter.Program
	init     *os.File // pidfd
}

// Exec starts another process in the container.
func (c *Container) Exec(_ string, e *proto.Exec, stdio [3]*os.File) (*os.Process, *os.File, error) {
	at, err := c.cgroup.place()
	if err != nil {
		return nil, nil, fmt.Errorf("the container's cgroup: %w", err)
	}
	init, err := c.duplicate()
	if err != nil {
		at.Close()
		return nil, nil, err
	}
	defer init.Close()
	slot, err := park.Visit(c.launcher.program, init, at)
	if err != nil {
		return nil, nil, err
	}
	console, err := c.visit(slot, init, e, stdio)
	if err != nil {
		slot.Discard()
		return nil, nil, explain(err)
	}
	return slot.Process, console, nil
}

// duplicate gives a pidfd of its own to who joins the container: that of the container is closed when it ends, and its
// number may be another container's the next moment.
func (c *Container) duplicate() (*os.File, error) {
	raw, err := c.init.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("joining the container: %w", unix.ESRCH)
	}
	fd := -1
	if cerr := raw.Control(func(init uintptr) { fd, err = unix.FcntlInt(init, unix.F_DUPFD_CLOEXEC, 3) }); cerr != nil {
		return nil, fmt.Errorf("joining the container: %w", unix.ESRCH)
	}
	if err != nil {
		return nil, fmt.Errorf("joining the container: %w", err)
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

func (c *Container) visit(slot *park.Slot, init *os.File, e *proto.Exec, stdio [3]*os.File) (*os.File, error) {
	root, err := os.Open(fmt.Sprintf("/proc/%d/root", c.pid))
	if err != nil {
		return nil, fmt.Errorf("opening the container's root: %w", err)
	}
	defer root.Close()
	if err := unix.PidfdSendSignal(int(init.Fd()), 0, nil, 0); err != nil { // the pid was another's by then
		return nil, fmt.Errorf("opening the container's root: %w", err)
	}
	p := *e.Process
	if err := identity.Apply(&p, root, e.User, e.GroupAdd); err != nil {
		return nil, err
	}
	pl := plan{Plan: stage.Plan{
		ID: "exec", Spec: &stage.Spec{Process: &p}, NetNS: -1, Filter: c.filter.Code, Flags: c.filter.Flags,
	}}
	pl.streams(p.Terminal, stdio)
	return slot.Become(&pl.Plan, pl.files)
}

// SignalAll sends a signal to every process of the container.
func (c *Container) SignalAll(sig syscall.Signal) error {
	pids, err := c.Pids()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if e := unix.Kill(pid, sig); e != nil && !errors.Is(e, unix.ESRCH) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// Pause freezes the container.
func (c *Container) Pause() error { return c.cgroup.Freeze(cgroups.Frozen) }

// Resume thaws it.
func (c *Container) Resume() error { return c.cgroup.Freeze(cgroups.Thawed) }

// Update sets limits; what is not named stays. Device rules that are not given stay those of the container.
func (c *Container) Update(r *specs.LinuxResources) error {
	res, err := resources(r)
	if err != nil {
		return err
	}
	if len(res.Devices) == 0 {
		res.Devices = c.cgroup.defaults.Devices
	} else {
		c.cgroup.defaults.Devices = res.Devices
	}
	return c.cgroup.set(res)
}

// Pids are all processes of the container, in our pid namespace.
func (c *Container) Pids() ([]int, error) { return c.cgroup.GetAllPids() }

// Stats are the cgroup's figures as JSON.
func (c *Container) Stats() ([]byte, error) {
	s, err := c.cgroup.GetStats()
	if err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// OOMKills counts the processes of the container that the kernel killed for memory.
func (c *Container) OOMKills() (uint64, error) { return c.cgroup.OOMKillCount() }

// CgroupPath is the cgroup's path below its hierarchy's root.
func (c *Container) CgroupPath() string {
	if g, err := c.cgroup.GetCgroups(); err == nil {
		return g.Path
	}
	return ""
}

// saved is what a successor needs of a container.
type saved struct {
	Cgroups map[string]string
	Path    string
	Filter  *filter.Program
}

// Saved gives what Restore needs.
func (c *Container) Saved() ([]byte, error) {
	return json.Marshal(saved{Cgroups: c.cgroup.GetPaths(), Path: c.CgroupPath(), Filter: c.filter})
}

// Destroy removes the cgroup of a container that has ended, and kills what is left in it.
func (c *Container) Destroy() error {
	c.init.Close()
	deadline := time.Now().Add(10 * time.Second)
	for {
		pids, err := c.cgroup.GetAllPids()
		if len(pids) == 0 || err != nil || time.Now().After(deadline) {
			break
		}
		for _, pid := range pids {
			unix.Kill(pid, unix.SIGKILL)
		}
		c.cgroup.Freeze(cgroups.Thawed)
		time.Sleep(time.Millisecond)
	}
	return c.cgroup.Destroy()
}

// Restore takes up a container that an earlier supervisor started; one that has ended since can be destroyed.
func (l *Launcher) Restore(_ string, pid int, state []byte) (*Container, error) {
	var sv saved
	if err := json.Unmarshal(state, &sv); err != nil {
		return nil, fmt.Errorf("taking up a container: %w", err)
	}
	var init *os.File
	if pid > 0 {
		var err error
		if init, err = pidfd(pid); err != nil && !errors.Is(err, unix.ESRCH) {
			return nil, err
		}
	}
	res := &cgroups.Resources{}
	m, err := manager.NewWithPaths(&cgroups.Cgroup{Path: sv.Path, Resources: res}, sv.Cgroups)
	if err != nil {
		init.Close()
		return nil, fmt.Errorf("taking up the cgroup of a container: %w", err)
	}
	return &Container{pid: pid, cgroup: &cgroup{Manager: m, defaults: res, setting: &l.setting}, launcher: l, filter: sv.Filter, init: init}, nil
}
