package park

import (
	"fmt"
	"os"
	"sync"

	"github.com/berthhq/berth/guestagent/engine/supervisor/stage"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Config says what a Pool keeps ready.
type Config struct {
	Program   *os.File // sealed berth-init
	Anchor    string   // an existing directory; nothing is ever seen there by the machine
	Size      int      // processes kept ready; 0 makes each on demand
	Mounts    []specs.Mount
	CgroupNS  bool
	NewCgroup func() (Cgroup, error)
}

// Pool keeps parked processes. A goroutine of its own replaces what was taken; Close ends it and the processes.
type Pool struct {
	cfg   Config
	ready chan *Slot
	want  chan struct{}
	stop  chan struct{}
	done  sync.WaitGroup
}

// NewPool begins to fill a pool. One of size 0 has nothing to close.
func NewPool(cfg Config) *Pool {
	p := &Pool{cfg: cfg, ready: make(chan *Slot, cfg.Size), want: make(chan struct{}, 1), stop: make(chan struct{})}
	if cfg.Size > 0 {
		p.done.Go(p.fill)
		p.refill()
	}
	return p
}

// Take gives a process that waits, or makes one.
func (p *Pool) Take() (*Slot, error) {
	defer p.refill()
	for {
		select {
		case s := <-p.ready:
			if s.alive() {
				return s, nil
			}
			s.Discard()
		default:
			return p.make()
		}
	}
}

// Close ends the parked processes and removes their cgroups.
func (p *Pool) Close() {
	close(p.stop)
	p.done.Wait()
	for {
		select {
		case s := <-p.ready:
			s.Discard()
		default:
			return
		}
	}
}

func (p *Pool) refill() {
	select {
	case p.want <- struct{}{}:
	default:
	}
}

func (p *Pool) fill() {
	for {
		select {
		case <-p.stop:
			return
		case <-p.want:
		}
		for len(p.ready) < cap(p.ready) {
			select {
			case <-p.stop:
				return
			default:
			}
			s, err := p.make()
			if err != nil {
				break // the next Take says why
			}
			p.ready <- s
		}
	}
}

// make starts and prepares one process.
func (p *Pool) make() (*Slot, error) {
	cg, err := p.cfg.NewCgroup()
	if err != nil {
		return nil, fmt.Errorf("making a cgroup: %w", err)
	}
	at, err := cg.Place()
	if err != nil {
		cg.Destroy()
		return nil, fmt.Errorf("making a cgroup: %w", err)
	}
	defer at.Close()
	s, err := spawn(p.cfg.Program, unix.CLONE_NEWNS|unix.CLONE_NEWPID|unix.CLONE_NEWUTS|unix.CLONE_NEWIPC, &at, nil)
	if err != nil {
		cg.Destroy()
		return nil, err
	}
	s.Cgroup = cg
	err = s.ready(&stage.Prepare{Anchor: p.cfg.Anchor, CgroupNS: p.cfg.CgroupNS, Mounts: p.cfg.Mounts, Tasks: at.Tasks})
	if err != nil {
		s.Discard()
		return nil, err
	}
	return s, nil
}

// alive tells that nothing has ended the process while it was parked.
func (s *Slot) alive() bool { return s.Process.Signal(unix.Signal(0)) == nil }
