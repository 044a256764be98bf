package keep

import (
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"golang.org/x/sys/unix"
)

// A supervisor that dies soon after its start, so many times in a row, is not started again.
const (
	soon     = time.Second
	maxEarly = 10
)

// maxExits bounds how many exits are remembered for the next supervisor.
const maxExits = 4096

// Config says how a keeper starts supervisors. The supervisor inherits the listener as descriptor 3 and the keeper's
// socket as descriptor 4.
type Config struct {
	Program string   // executed anew each time, so that an upgraded program comes into use
	Args    []string // with argv[0]
	Listen  *os.File
	Log     *log.Logger
	Stop    <-chan os.Signal // a signal is passed on to the supervisor, whose clean exit ends the keeper
}

// keeper holds what supervisors put. One goroutine, Run's, touches it.
type keeper struct {
	cfg   Config
	held  map[string]Item
	order []string
	exits map[int]uint32
}

// incoming is what one supervisor has said.
type incoming struct {
	m     message
	files []*os.File
}

// Run starts a supervisor, and the next when it dies, until one ends cleanly. Its error says that none can be started.
func Run(cfg Config) error {
	// Children of a dead supervisor become ours, with their exit status.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("becoming a subreaper: %w", err)
	}
	k := &keeper{cfg: cfg, held: map[string]Item{}, exits: map[int]uint32{}}
	reaped := make(chan message)
	for early := 0; early < maxEarly; {
		began := time.Now()
		clean, err := k.one(reaped)
		if err != nil || clean {
			return err
		}
		if early++; time.Since(began) > soon {
			early = 0
		}
		cfg.Log.Printf("the supervisor has died; starting the next")
		time.Sleep(time.Duration(early) * 20 * time.Millisecond)
	}
	return fmt.Errorf("the supervisor died %d times in a row as soon as it was started", maxEarly)
}

// one serves one supervisor until it is gone.
func (k *keeper) one(reaped chan message) (clean bool, err error) {
	conn, pid, err := k.spawn()
	if err != nil {
		return false, err
	}
	in := make(chan incoming)
	go receive(conn, in)
	go reap(pid, reaped)
	if err := k.tell(conn); err != nil {
		k.cfg.Log.Printf("telling the supervisor what is held: %v", err)
	}
	for ended, status := false, uint32(0); !ended || in != nil; {
		select {
		case msg, ok := <-in:
			if !ok {
				in = nil
				conn.Close()
				continue
			}
			k.take(msg)
		case m := <-reaped:
			if m.Pid == pid {
				ended, status = true, m.Status
				clean = wasAsked(syscall.WaitStatus(status))
				continue
			}
			k.remember(m)
			if !ended {
				conn.Send(&m)
			}
		case sig := <-k.cfg.Stop:
			if s, ok := sig.(syscall.Signal); ok {
				syscall.Kill(pid, s)
			}
		}
	}
	return clean, nil
}

// wasAsked tells an end that somebody wanted. One who sends SIGTERM to the keeper and to the supervisor sends it to the
// supervisor twice, and the second may come when it has already given up handling it.
func wasAsked(ws syscall.WaitStatus) bool {
	return ws.Exited() && ws.ExitStatus() == 0 || ws.Signaled() && ws.Signal() == syscall.SIGTERM
}

// spawn starts a supervisor.
func (k *keeper) spawn() (*proto.Conn, int, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, 0, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "keeper"), os.NewFile(uintptr(pair[1]), "supervisor")
	defer ours.Close()
	defer theirs.Close()
	c, err := net.FileConn(ours)
	if err != nil {
		return nil, 0, err
	}
	pid, err := syscall.ForkExec(k.cfg.Program, k.cfg.Args, &syscall.ProcAttr{
		Dir: "/", Env: os.Environ(), Files: []uintptr{0, 1, 2, k.cfg.Listen.Fd(), theirs.Fd()},
	})
	if err != nil {
		c.Close()
		return nil, 0, fmt.Errorf("starting %s: %w", k.cfg.Program, err)
	}
	return proto.NewConn(c.(*net.UnixConn)), pid, nil
}

// tell gives a new supervisor all that is held.
func (k *keeper) tell(conn *proto.Conn) error {
	for _, key := range k.order {
		item := k.held[key]
		var fds []int
		for _, f := range item.Files {
			fds = append(fds, int(f.Fd()))
		}
		if err := conn.Send(&message{Op: opPut, Key: key, Note: item.Note}, fds...); err != nil {
			return err
		}
	}
	for pid, status := range k.exits {
		if err := conn.Send(&message{Op: opExit, Pid: pid, Status: status}); err != nil {
			return err
		}
	}
	return conn.Send(&message{Op: opReady})
}

func (k *keeper) take(msg incoming) {
	key := msg.m.Key
	switch msg.m.Op {
	case opPut:
		k.drop(key)
		k.held[key] = Item{Key: key, Note: msg.m.Note, Files: msg.files}
		k.order = append(k.order, key)
	case opDrop:
		closeFiles(msg.files)
		k.drop(key)
	default:
		closeFiles(msg.files)
	}
}

func (k *keeper) drop(key string) {
	if item, ok := k.held[key]; ok {
		closeFiles(item.Files)
		delete(k.held, key)
		k.order = slices.DeleteFunc(k.order, func(s string) bool { return s == key })
	}
}

func (k *keeper) remember(m message) {
	if len(k.exits) >= maxExits {
		clear(k.exits) // older than any supervisor that could ask
	}
	k.exits[m.Pid] = m.Status
}

// receive reads what a supervisor says until it is gone.
func receive(conn *proto.Conn, in chan<- incoming) {
	defer close(in)
	for {
		var msg incoming
		var err error
		if msg.files, err = conn.Recv(&msg.m); err != nil {
			return
		}
		in <- msg
	}
}

// reap waits for every child until the supervisor itself has ended. It is the only waiter: the next is started after
// it has told of that end.
func reap(supervisor int, out chan<- message) {
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, 0, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return
		}
		out <- message{Op: opExit, Pid: pid, Status: uint32(ws)}
		if pid == supervisor {
			return
		}
	}
}
