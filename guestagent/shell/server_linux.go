package shell

import (
	"context"
	"net"
	"os"
	"time"

	"github.com/berthhq/berth/internal/agentapi"
	"golang.org/x/sys/unix"
)

// openWithin is how long the host may take to say what it wants.
const openWithin = 10 * time.Second

// Program is what to start, in a session of its own.
type Program struct {
	Args                  []string // empty: a shell
	Term                  string
	Terminal              bool // Stdin is a terminal, and becomes the session's
	Stdin, Stdout, Stderr *os.File
}

// Process is a program that was started.
type Process struct {
	Ended  <-chan unix.WaitStatus // gives its status once
	Signal func(unix.Signal)      // to its process group; nothing happens once it has ended
}

// Server gives each of the host's streams a program. Its field is set before Serve.
type Server struct {
	// Start starts a program; the files stay the caller's.
	Start func(Program) (Process, error)
}

// Serve takes the host's streams until the listener is closed, which the end of ctx does.
func (s *Server) Serve(ctx context.Context, l net.Listener) {
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go s.serve(c)
	}
}

// serve is one stream.
func (s *Server) serve(host net.Conn) {
	defer host.Close()
	_ = host.SetDeadline(time.Now().Add(openWithin))
	var o agentapi.Open
	if agentapi.ReadFrame(host, &o) != nil {
		return
	}
	run, err := s.begin(o.Shell)
	if err != nil {
		_ = agentapi.WriteFrame(host, agentapi.Opened{Error: agentapi.Errorf(agentapi.CodeOf(err), "%s", err.Error())})
		return
	}
	defer run.ends.close()
	if agentapi.WriteFrame(host, agentapi.Opened{}) != nil {
		run.hangUp()
		return
	}
	_ = host.SetDeadline(time.Time{})
	run.carry(host)
}

// begin starts what the host wants.
func (s *Server) begin(want *agentapi.Shell) (*session, error) {
	if want == nil {
		return nil, agentapi.Errorf(agentapi.CodeInvalid, "a stream that says nothing of its program")
	}
	e, p, err := open(want.Size)
	if err != nil {
		return nil, err
	}
	p.Args, p.Term = want.Args, want.Term
	proc, err := s.Start(p)
	for _, f := range []*os.File{p.Stdin, p.Stdout, p.Stderr} {
		_ = f.Close() // the program has them; of a terminal they are the same file, closed once
	}
	if err != nil {
		e.close()
		return nil, err
	}
	return &session{ends: e, proc: proc, over: make(chan struct{})}, nil
}
