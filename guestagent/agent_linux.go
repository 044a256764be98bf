package guestagent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/berthhq/berth/guestagent/control"
	"github.com/berthhq/berth/guestagent/disk"
	"github.com/berthhq/berth/guestagent/ports"
	"github.com/berthhq/berth/guestagent/shell"
	"github.com/berthhq/berth/guestagent/tap"
	"github.com/berthhq/berth/internal/agentapi"
	"github.com/berthhq/berth/internal/buildinfo"
	"github.com/berthhq/berth/internal/paths"
	"golang.org/x/sys/unix"
)

// programs is where the image has berth's programs, and searchPath what they find others by.
const (
	programs   = "/usr/libexec/berth"
	searchPath = "PATH=/usr/sbin:/usr/bin:/usr/libexec/berth"
)

// agent is the guest. main makes one.
type agent struct {
	layout   paths.Layout
	reaper   *reaper
	control  *control.Server
	ports    *ports.Broker
	children []*child      // in the order of their start
	power    chan shutdown // what the machine is asked to end with, once
	growing  sync.Mutex    // held while the data disk grows

	mu     sync.Mutex
	device string // of the data disk; empty: there is none (yet)
	data   agentapi.Disk
	ready  bool
}

// shutdown is how the machine is to end.
type shutdown struct {
	reboot bool
	grace  time.Duration
}

// Run is PID 1: it returns only where nothing can be done, and the kernel then ends the machine.
func Run() error {
	if os.Getpid() != 1 {
		return fmt.Errorf("this is the first process of berth's virtual machine: pid 1, not %d", os.Getpid())
	}
	unix.Umask(0o022)
	a := &agent{layout: paths.For(""), reaper: newReaper(), power: make(chan shutdown, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := mountAll(first()); err != nil {
		return err
	}
	modules, err := openModules(bootModules)
	if err != nil {
		return err
	}
	complain(modules.stage("boot"))
	if err := enterRoot(); err != nil {
		return err
	}
	if err := a.serve(ctx); err != nil {
		return err
	}
	complain(mountAll(second()), furnish(), setUp(), delegate(cgroupRoot))
	var kept sync.WaitGroup
	kept.Go(func() { a.bringUp(ctx, modules, &kept) })
	how := <-a.power
	cancel()
	kept.Wait()
	return a.end(how)
}

// complain writes what went wrong to the console: there is nobody else to tell, and the boot goes on.
func complain(errs ...error) {
	for _, err := range errs {
		if err != nil {
			fmt.Fprintln(os.Stderr, "berth-guestagent:", err)
		}
	}
}

// serve opens the ports of the link, as early as can be.
func (a *agent) serve(ctx context.Context) error {
	link, err := listen(agentapi.PortControl)
	if err != nil {
		return err
	}
	docker, err := listen(agentapi.PortDocker)
	if err != nil {
		return err
	}
	forward, err := listen(agentapi.PortForward)
	if err != nil {
		return err
	}
	shells, err := listen(agentapi.PortShell)
	if err != nil {
		return err
	}
	a.control = control.New(a.ops(), a.welcome, func(err error) { complain(fmt.Errorf("control: %w", err)) })
	a.ports = a.broker()
	a.control.Linked = func() { a.ports.Again(ctx) }
	go a.ports.Forward(context.WithoutCancel(ctx), forward, func(host, container net.Conn) { splice(host.(stream), container.(stream)) })
	go func() { complain(a.control.Serve(context.WithoutCancel(ctx), link)) }() // till the power goes: the host hears of the shutdown
	go (&shell.Server{Start: a.startShell}).Serve(context.WithoutCancel(ctx), shells)
	go serveDocker(context.WithoutCancel(ctx), docker, a.layout.Socket())
	return nil
}

// broker asks the host for published ports. What it is not there to answer it hears when it comes.
func (a *agent) broker() *ports.Broker {
	return &ports.Broker{
		Ask: func(ctx context.Context, op agentapi.Op, p agentapi.Port) error {
			return a.control.Ask(ctx, op, p, nil)
		},
		Pass: func(ctx context.Context, op agentapi.Op, body json.RawMessage) (out json.RawMessage, err error) {
			return out, a.control.Ask(ctx, op, body, &out)
		},
		NoHost: func(err error) bool { return errors.Is(err, control.ErrNoHost) || errors.Is(err, agentapi.ErrLinkDown) },
		Log:    func(err error) { complain(fmt.Errorf("published ports: %w", err)) },
	}
}

// serveEngine listens for what the engine asks of the host.
func (a *agent) serveEngine(ctx context.Context) error {
	name := a.layout.HostSocket()
	if err := os.MkdirAll(filepath.Dir(name), 0o711); err != nil {
		return err
	}
	l, err := net.Listen("unix", name)
	if err != nil {
		return err
	}
	go a.ports.Serve(context.WithoutCancel(ctx), l)
	return os.Chmod(name, 0o600)
}

// bringUp does what the ports need not wait for.
func (a *agent) bringUp(ctx context.Context, modules *loader, kept *sync.WaitGroup) {
	complain(modules.elsewhere(restModules))
	complain(modules.stage("engine"), a.network(ctx))
	a.attachDisk(ctx)
	if a.disk().Fault == "" {
		a.startChildren(ctx, kept)
		a.awaitEngine(ctx)
	}
	complain(modules.stage("rest"))
	complain(os.WriteFile("/proc/sys/kernel/modules_disabled", []byte("1"), 0))
	if _, err := a.grow(); err != nil {
		complain(err)
	}
}

// network brings the interface to the world up, and takes the host's streams for it.
func (a *agent) network(ctx context.Context) error {
	device, err := tap.Open()
	if err != nil {
		return err
	}
	l, err := listen(agentapi.PortNetwork)
	if err != nil {
		return err
	}
	go device.Serve(context.WithoutCancel(ctx), l) // till the power goes: containers that stop may have something to say
	return nil
}

// startChildren starts berth's programs and keeps them running.
func (a *agent) startChildren(ctx context.Context, kept *sync.WaitGroup) {
	complain(a.serveEngine(ctx), os.Mkdir(systemCgroups, 0o755), delegate(systemCgroups))
	for _, p := range []struct {
		name, socket string
		argv         []string
	}{
		{"supervisor", a.layout.SupervisorSocket(), []string{"berth-supervisor"}},
		{"relay", "", []string{"berth-sharerelay", "-listen", fmt.Sprintf("vsock:%d", agentapi.PortFiles)}},
		{"engine", a.layout.Socket(), []string{"berth-engine"}},
	} {
		cg, err := systemCgroup(p.name)
		complain(err)
		p.argv[0] = programs + "/" + p.argv[0]
		c := &child{
			name: p.name, socket: p.socket, reaper: a.reaper,
			program: program{argv: p.argv, env: []string{searchPath, "HOME=/root", "TMPDIR=/var/tmp"}, stdout: os.Stderr, cgroup: cg},
			tell:    func(s agentapi.Child) { a.tell(agentapi.Event{Kind: agentapi.EventChild, Child: &s}) },
		}
		a.mu.Lock()
		a.children = append(a.children, c)
		a.mu.Unlock()
		kept.Go(func() { c.keep(ctx) })
	}
}

// awaitEngine tells the host when the engine's socket answers.
func (a *agent) awaitEngine(ctx context.Context) {
	c, err := dialEngine(ctx, a.layout.Socket())
	if err != nil {
		return
	}
	_ = c.Close()
	a.mu.Lock()
	a.ready = true
	a.mu.Unlock()
	a.tell(agentapi.Event{Kind: agentapi.EventReady})
}

func (a *agent) tell(e agentapi.Event) {
	e.UnixNano = time.Now().UnixNano()
	a.control.Tell(e)
}

func (a *agent) welcome(h agentapi.Hello) agentapi.Welcome {
	complain(setClock(h.Time))
	var u unix.Utsname
	_ = unix.Uname(&u)
	return agentapi.Welcome{
		Agent: buildinfo.Version(), Boot: firstLine("/proc/sys/kernel/random/boot_id"), Kernel: unix.ByteSliceToString(u.Release[:]),
		Features: []agentapi.Feature{agentapi.FeaturePorts, agentapi.FeatureNetwork, agentapi.FeatureShell, agentapi.FeatureReclaim, agentapi.FeatureTrim}, Status: a.status(),
	}
}

func (a *agent) status() agentapi.Status {
	s := agentapi.Status{UptimeMS: uptime().Milliseconds(), Disk: a.disk()}
	a.mu.Lock()
	children := a.children
	s.Engine = a.ready
	a.mu.Unlock()
	for _, c := range children {
		s.Children = append(s.Children, c.status())
	}
	s.Engine = s.Engine && answers(a.layout.Socket())
	return s
}

// ops is the table of what the host may ask.
func (a *agent) ops() control.Ops {
	return control.Ops{
		agentapi.OpPing: control.On(func(_ context.Context, p agentapi.Ping) (agentapi.Pong, error) {
			return agentapi.Pong{Seq: p.Seq, UnixNano: time.Now().UnixNano()}, nil
		}),
		agentapi.OpTime: control.On(func(_ context.Context, t agentapi.Time) (control.None, error) { return control.None{}, setClock(t) }),
		agentapi.OpStatus: control.On(func(context.Context, control.None) (agentapi.Status, error) {
			return a.status(), nil
		}),
		agentapi.OpMemory:  control.On(func(context.Context, control.None) (agentapi.Memory, error) { return memory() }),
		agentapi.OpReclaim: control.On(func(_ context.Context, r agentapi.Reclaim) (agentapi.Memory, error) { return reclaim(r) }),
		agentapi.OpDisk:    control.On(func(context.Context, control.None) (agentapi.Disk, error) { return a.disk(), nil }),
		agentapi.OpDiskGrow: control.On(func(context.Context, control.None) (agentapi.Disk, error) {
			return a.grow()
		}),
		agentapi.OpDiskTrim: control.On(func(context.Context, control.None) (agentapi.Trimmed, error) {
			if a.disk().UUID == "" {
				return agentapi.Trimmed{}, noDisk()
			}
			n, err := disk.Trim(a.layout.Root)
			return agentapi.Trimmed{Bytes: n}, err
		}),
		agentapi.OpPower: control.On(func(_ context.Context, p agentapi.Power) (control.None, error) { return control.None{}, a.askPower(p) }),
	}
}

func noDisk() error {
	return agentapi.Errorf(agentapi.CodeUnavailable, "the virtual machine has no data disk")
}

// askPower begins a shutdown; a second request while one is under way is the same.
func (a *agent) askPower(p agentapi.Power) error {
	if p.Action != agentapi.PowerOff && p.Action != agentapi.PowerReboot {
		return agentapi.Errorf(agentapi.CodeInvalid, "power: %q is neither %s nor %s", p.Action, agentapi.PowerOff, agentapi.PowerReboot)
	}
	select {
	case a.power <- shutdown{reboot: p.Action == agentapi.PowerReboot, grace: time.Duration(p.GraceMS) * time.Millisecond}:
	default:
	}
	return nil
}
