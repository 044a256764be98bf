//go:build linux || darwin

package keeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/hostagent/vm"
)

// lingering is how long the keeper stays for those who have not yet been told of the machine's end.
const lingering = 2 * time.Second

// socketBuffer is what a stream's socket may hold each way, where the kernel allows so much: the less often one side has
// to be woken for the other, the better on a busy computer.
const socketBuffer = 256 << 10

// server answers for a machine.
type server struct {
	machine vm.Machine
	streams atomic.Uint64 // the number of the last one
	ended   *endings
	buffers sync.Pool
	active  sync.WaitGroup
}

func newServer(m vm.Machine) *server {
	s := &server{machine: m, ended: newEndings()}
	s.buffers.New = func() any { b := make([]byte, socketBuffer); return &b }
	return s
}

// serve returns when the machine has ended and everybody knows.
func (s *server) serve(l net.Listener) {
	go func() {
		<-s.machine.Done()
		l.Close()
	}()
	for {
		c, err := l.Accept()
		if err != nil {
			select {
			case <-s.machine.Done():
			case <-time.After(100 * time.Millisecond): // out of descriptors, say: those that there are go on
				continue
			}
			break
		}
		s.active.Go(func() { s.answer(c.(*net.UnixConn)) })
	}
	over := make(chan struct{})
	go func() { s.active.Wait(); close(over) }()
	select {
	case <-over:
	case <-time.After(lingering):
	}
}

// answer serves one connection.
func (s *server) answer(c *net.UnixConn) {
	defer c.Close()
	var r request
	if err := errors.Join(c.SetReadDeadline(time.Now().Add(10*time.Second)), receive(c, &r), c.SetReadDeadline(time.Time{})); err != nil {
		return
	}
	if r.Version != protocolVersion {
		_ = send(c, refusal(fmt.Errorf("the keeper speaks version %d of its protocol, the host agent %d", protocolVersion, r.Version)))
		return
	}
	ctx, stop := whileConnected(c)
	var guest transport.Conn
	answer, err := reply{}, error(nil)
	if r.Verb == "dial" {
		guest, err = s.machine.Dial(ctx, r.Port)
		answer.Stream = s.streams.Add(1)
	} else {
		answer, err = s.do(ctx, r)
	}
	if err != nil {
		answer = refusal(err)
	}
	stayed := stop()
	if !stayed || send(c, answer) != nil {
		if guest != nil {
			guest.Close()
		}
		return
	}
	if guest != nil {
		s.carry(answer.Stream, c, guest)
	}
}

// do is every verb that is a question and an answer.
func (s *server) do(ctx context.Context, r request) (reply, error) {
	switch r.Verb {
	case "ending":
		return reply{Clean: s.ended.has(r.Stream)}, nil
	case "status":
		st, err := s.machine.Status(ctx)
		return reply{Status: &st}, err
	case "powerdown":
		return reply{}, s.machine.PowerDown(ctx)
	case "pause":
		return reply{}, s.machine.Pause(ctx)
	case "resume":
		return reply{}, s.machine.Resume(ctx)
	case "kill":
		return reply{}, s.machine.Kill(ctx)
	case "wait":
		select {
		case <-s.machine.Done():
			exit := s.machine.Exit()
			return reply{Exit: &exit}, nil
		case <-ctx.Done():
			return reply{}, ctx.Err()
		}
	}
	return reply{}, fmt.Errorf("the keeper knows no verb %q", r.Verb)
}

// whileConnected is a context that ends when the other side goes. It sends nothing before it is answered, so any byte
// is a mistake. stop says whether it is still there.
func whileConnected(c *net.UnixConn) (_ context.Context, stop func() bool) {
	ctx, cancel := context.WithCancel(context.Background())
	var err error
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		_, err = c.Read(make([]byte, 1))
		cancel()
	}()
	return ctx, func() bool {
		_ = c.SetReadDeadline(time.Unix(1, 0))
		<-watched
		_ = c.SetReadDeadline(time.Time{})
		cancel()
		return errors.Is(err, os.ErrDeadlineExceeded)
	}
}

// endings remembers which streams the guest has ended in order, the newest of them.
type endings struct {
	mu    sync.Mutex
	clean map[uint64]bool
	order []uint64
	at    int
}

const mostEndings = 1 << 16

func newEndings() *endings { return &endings{clean: map[uint64]bool{}} }

func (e *endings) add(stream uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.clean[stream] = true
	if len(e.order) < mostEndings {
		e.order = append(e.order, stream)
		return
	}
	delete(e.clean, e.order[e.at])
	e.order[e.at] = stream
	e.at = (e.at + 1) % mostEndings
}

// has says whether the stream has ended in order.
func (e *endings) has(stream uint64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.clean[stream]
}
