package shell

import (
	"net"
	"os"
	"sync"
	"time"

	"github.com/berthhq/berth/internal/agentapi"
	"golang.org/x/sys/unix"
)

const (
	// settle is how long output may be silent once the program has ended: what it wrote is in the pipe by then, and a
	// process that it left behind may hold the pipe for ever.
	settle = 100 * time.Millisecond
	// hangUpGrace is how long a program may go on after the host has gone.
	hangUpGrace = 2 * time.Second
)

// session is one program and its stream.
type session struct {
	ends *ends
	proc Process
	over chan struct{} // closed once the program has ended

	writing sync.Mutex // held while a chunk is written
}

// carry carries bytes until the program has ended and all that it wrote is on its way, and tells how it ended.
func (s *session) carry(host net.Conn) {
	go s.input(host)
	var outputs sync.WaitGroup
	for kind, f := range s.ends.out {
		outputs.Go(func() { s.output(host, kind, f) })
	}
	ws := <-s.proc.Ended
	close(s.over)
	for _, f := range s.ends.out {
		_ = f.SetReadDeadline(time.Now().Add(settle))
	}
	outputs.Wait()
	_ = s.write(host, agentapi.ShellExit, []byte{exitCode(ws)})
}

func (s *session) write(host net.Conn, kind agentapi.ShellKind, b []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return agentapi.WriteChunk(host, kind, b)
}

// output carries what the program writes.
func (s *session) output(host net.Conn, kind agentapi.ShellKind, f *os.File) {
	buf := make([]byte, agentapi.MaxChunk)
	for {
		n, err := f.Read(buf)
		if n > 0 && s.write(host, kind, buf[:n]) != nil {
			return // input hears of it too
		}
		if err != nil {
			return
		}
		select {
		case <-s.over:
			_ = f.SetReadDeadline(time.Now().Add(settle))
		default:
		}
	}
}

// input carries what the host sends, until it has gone.
func (s *session) input(host net.Conn) {
	buf := make([]byte, agentapi.MaxChunk)
	for {
		kind, b, err := agentapi.ReadChunk(host, buf)
		switch {
		case err != nil:
			s.hangUp()
			return
		case kind == agentapi.ShellIn && len(b) == 0:
			s.ends.endInput()
		case kind == agentapi.ShellIn:
			_, _ = s.ends.in.Write(b) // a program that reads no more is no error
		case kind == agentapi.ShellSize:
			if size, err := agentapi.SizeOf(b); err == nil {
				s.ends.resize(size)
			}
		}
	}
}

// hangUp ends a program whose person has gone.
func (s *session) hangUp() {
	for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGKILL} {
		select {
		case <-s.over:
			return
		default:
			s.proc.Signal(sig)
		}
		select {
		case <-s.over:
		case <-time.After(hangUpGrace):
		}
	}
}

// exitCode is what a shell would give.
func exitCode(ws unix.WaitStatus) byte {
	if ws.Signaled() {
		return byte(128 + int(ws.Signal()))
	}
	return byte(ws.ExitStatus())
}
