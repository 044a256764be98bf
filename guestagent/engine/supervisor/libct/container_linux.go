//go:build cgo && seccomp

package libct

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/identity"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/manager"
	"github.com/opencontainers/runc/libcontainer"
	"github.com/opencontainers/runc/libcontainer/specconv"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// patience bounds how long Destroy waits for killed processes to go.
const patience = 10 * time.Second

// Container is a started one.
type Container struct{ ct *libcontainer.Container }

// run starts a process in the container and gives it for waiting, with its terminal's master where it has one.
func (c *Container) run(p *specs.Process, stdio [3]*os.File, first bool) (*os.Process, *os.File, error) {
	lp, err := newProcess(p, stdio)
	if err != nil {
		return nil, nil, invalid(err)
	}
	lp.Init = first
	var con *console
	if p.Terminal {
		if con, err = newConsole(); err != nil {
			return nil, nil, err
		}
		defer con.close()
		lp.ConsoleSocket = con.theirs
	}
	if err := c.ct.Run(lp); err != nil {
		return nil, nil, err
	}
	pid, err := lp.Pid()
	if err != nil {
		return nil, nil, err
	}
	proc, err := os.FindProcess(pid)
	if err != nil {
		return nil, nil, err
	}
	if con == nil {
		return proc, nil, nil
	}
	master, err := con.master()
	if err != nil {
		proc.Kill()
		proc.Wait()
		return nil, nil, err
	}
	return proc, master, nil
}

// Exec starts another process in the container.
func (c *Container) Exec(_ string, e *proto.Exec, stdio [3]*os.File) (*os.Process, *os.File, error) {
	st, err := c.ct.State()
	if err != nil {
		return nil, nil, err
	}
	root, err := os.Open(fmt.Sprintf("/proc/%d/root", st.InitProcessPid))
	if err != nil {
		return nil, nil, fmt.Errorf("opening the container's root: %w", err)
	}
	defer root.Close()
	p := *e.Process
	if err := identity.Apply(&p, root, e.User, e.GroupAdd); err != nil {
		return nil, nil, invalid(err)
	}
	proc, master, err := c.run(&p, stdio, false)
	if err != nil {
		return nil, nil, explain(err)
	}
	return proc, master, nil
}

func (c *Container) cgroup() (cgroups.Manager, error) {
	st, err := c.ct.State()
	if err != nil {
		return nil, err
	}
	cfg := c.ct.Config()
	return manager.NewWithPaths(cfg.Cgroups, st.CgroupPaths)
}

// SignalAll sends a signal to every process of the container.
func (c *Container) SignalAll(sig syscall.Signal) error {
	pids, err := c.Pids()
	for _, pid := range pids {
		if e := unix.Kill(pid, sig); e != nil && !errors.Is(e, unix.ESRCH) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// Pause freezes the container.
func (c *Container) Pause() error { return c.ct.Pause() }

// Resume thaws it.
func (c *Container) Resume() error { return c.ct.Resume() }

// Update sets limits; what is not named stays, device rules too.
func (c *Container) Update(r *specs.LinuxResources) error {
	cfg := c.ct.Config()
	cg, err := specconv.CreateCgroupConfig(&specconv.CreateOpts{Spec: &specs.Spec{Linux: &specs.Linux{Resources: r}}}, nil)
	if err != nil {
		return invalid(err)
	}
	merged := *cfg.Cgroups
	devices := merged.Resources.Devices
	merged.Resources = cg.Resources
	if len(r.Devices) == 0 {
		merged.Resources.Devices = devices
	}
	cfg.Cgroups = &merged
	return c.ct.Set(cfg)
}

// Pids are all processes of the container, in our pid namespace.
func (c *Container) Pids() ([]int, error) { return c.ct.Processes() }

// Stats are the cgroup's figures as JSON.
func (c *Container) Stats() ([]byte, error) {
	m, err := c.cgroup()
	if err != nil {
		return nil, err
	}
	s, err := m.GetStats()
	if err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// OOMKills counts the container's processes that the kernel killed for memory.
func (c *Container) OOMKills() (uint64, error) {
	m, err := c.cgroup()
	if err != nil {
		return 0, err
	}
	return m.OOMKillCount()
}

// CgroupPath is the cgroup's path in the hierarchy that accounts memory.
func (c *Container) CgroupPath() string {
	m, err := c.cgroup()
	if err != nil {
		return ""
	}
	return m.Path("memory")
}

// Saved is nothing: libcontainer keeps its own state.
func (c *Container) Saved() ([]byte, error) { return nil, nil }

// Destroy kills what is left in the container's cgroup, removes it and libcontainer's state.
func (c *Container) Destroy() error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		pids, err := c.ct.Processes()
		if err != nil || len(pids) == 0 {
			break
		}
		c.SignalAll(unix.SIGKILL)
		c.ct.Resume() // a frozen process does not die
	}
	if err := os.Remove(c.ct.Config().Rootfs); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return c.ct.Destroy()
}
