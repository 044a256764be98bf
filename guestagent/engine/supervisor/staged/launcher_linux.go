//go:build cgo && seccomp

package staged

import (
	"fmt"
	"github.com/berthhq/berth/guestagent/engine/detached"
	"os"
	"slices"
	"sync"

	"github.com/berthhq/berth/guestagent/engine/supervisor/filter"
	"github.com/berthhq/berth/guestagent/engine/supervisor/identity"
	"github.com/berthhq/berth/guestagent/engine/supervisor/park"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/guestagent/engine/supervisor/stage"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// parked is how many processes are kept ready; a burst beyond it makes its own.
const parked = 3

// Config says where a Launcher finds and keeps things.
type Config struct {
	Program string // berth-init
	Anchor  string // an existing directory of our own
	Cgroup  string // parent of cgroups made ahead, such as /berth
}

// Launcher starts containers. Safe for concurrent use.
type Launcher struct {
	cfg     Config
	program *os.File
	filters filter.Cache

	setting sync.Mutex // of limits, see cgroup

	mu   sync.Mutex
	pool *park.Pool // of the kind asked for last
	key  string
}

// New seals the program. Close ends what is parked; containers go on.
func New(cfg Config) (*Launcher, error) {
	program, err := park.Seal(cfg.Program)
	if err != nil {
		return nil, err
	}
	sweep(cfg.Cgroup)
	return &Launcher{cfg: cfg, program: program}, nil
}

// Close ends the parked processes.
func (l *Launcher) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pool != nil {
		l.pool.Close()
	}
	l.program.Close()
}

// Warm parks processes for containers like this one and compiles its filter.
func (l *Launcher) Warm(spec *specs.Spec) error {
	l.poolFor(kindOf(spec, l.cfg.Cgroup))
	_, err := l.filters.Get(spec.Linux.Seccomp)
	return err
}

// poolFor gives the pool of a kind. Processes are kept parked for one kind at a time, the first or the warmed one;
// others are made on demand, and so is a cgroup with a parent of its own.
func (l *Launcher) poolFor(k kind) *park.Pool {
	key := k.key()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pool != nil && l.key == key {
		return l.pool
	}
	size := parked
	if l.pool != nil || k.Cgroup != "" {
		size = 0
	}
	p := park.NewPool(park.Config{
		Program: l.program, Anchor: l.cfg.Anchor, Size: size, Mounts: k.Mounts, CgroupNS: k.CgroupNS,
		NewCgroup: func() (park.Cgroup, error) {
			c, err := newCgroup(l.cfg.Cgroup, &k, &l.setting)
			if err != nil {
				return nil, err
			}
			return c, nil
		},
	})
	if size > 0 {
		l.pool, l.key = p, key
	}
	return p
}

// Supports says whether a container can be started here.
func (*Launcher) Supports(s *proto.Start) bool { return Supports(s) }

// Start starts a container with its standard streams (unused with a terminal). What it opened for it is closed again
// when it returns; the process and the terminal's master are the caller's. Errors: *proto.Error where the reason is the
// caller's.
func (l *Launcher) Start(id string, s *proto.Start, stdio [3]*os.File) (*Container, *os.Process, *os.File, error) {
	prog, err := l.filters.Get(s.Spec.Linux.Seccomp)
	if err != nil {
		return nil, nil, nil, invalid(err)
	}
	pl, err := newPlan(id, s, stdio, prog)
	if err != nil {
		return nil, nil, nil, invalid(err)
	}
	defer pl.close()
	slot, err := l.poolFor(kindOf(s.Spec, l.cfg.Cgroup)).Take()
	if err != nil {
		return nil, nil, nil, err
	}
	c := &Container{pid: slot.Process.Pid, cgroup: slot.Cgroup.(*cgroup), launcher: l, filter: prog}
	if !onlyDevices(s.Spec.Linux.Resources) {
		err = c.Update(s.Spec.Linux.Resources)
	}
	if err == nil {
		c.init, err = pidfd(c.pid)
	}
	var console *os.File
	if err == nil {
		console, err = slot.Become(&pl.Plan, pl.files)
	}
	if err != nil {
		if c.init != nil {
			c.init.Close()
		}
		slot.Discard()
		return nil, nil, nil, explain(err)
	}
	return c, slot.Process, console, nil
}

// plan is a stage's plan with the descriptors it speaks of.
type plan struct {
	stage.Plan
	files []*os.File
	ours  []*os.File // those of them to close
}

func newPlan(id string, s *proto.Start, stdio [3]*os.File, prog *filter.Program) (*plan, error) {
	p := *s.Spec.Process
	pl := &plan{Plan: stage.Plan{ID: id, Spec: stage.NewSpec(s.Spec, &p), NetNS: -1, Sources: map[int]int{}, Filter: prog.Code, Flags: prog.Flags}}
	root, err := detached.Root(s.Rootfs)
	if err != nil {
		return nil, err
	}
	pl.Root = pl.own(root)
	if err = identity.Apply(&p, root, s.User, s.GroupAdd); err == nil {
		err = pl.open(s.Spec)
	}
	if err != nil {
		pl.close()
		return nil, err
	}
	pl.streams(p.Terminal, stdio)
	return pl, nil
}

func (p *plan) own(f *os.File) int {
	p.ours = append(p.ours, f)
	return p.add(f)
}

func (p *plan) add(f *os.File) int {
	p.files = append(p.files, f)
	return len(p.files) - 1
}

func (p *plan) close() {
	for _, f := range p.ours {
		f.Close()
	}
}

func (p *plan) streams(terminal bool, stdio [3]*os.File) {
	if terminal {
		return
	}
	for i, f := range stdio {
		p.Stdio[i] = p.add(f)
	}
}

// open opens the network namespace and the sources of binds.
func (p *plan) open(spec *specs.Spec) error {
	for _, n := range spec.Linux.Namespaces {
		if n.Type != specs.NetworkNamespace {
			continue
		}
		f, err := os.Open(n.Path)
		if err != nil {
			return fmt.Errorf("network namespace: %w", err)
		}
		p.NetNS = p.own(f)
	}
	for i, m := range spec.Mounts {
		if m.Type != "bind" {
			continue
		}
		f, err := detached.Tree(m.Source, slices.Contains(m.Options, "rbind"))
		if err != nil {
			return fmt.Errorf("error mounting %q to rootfs at %q: %w", m.Source, m.Destination, err)
		}
		p.Sources[i] = p.own(f)
	}
	return nil
}

func pidfd(pid int) (*os.File, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}
