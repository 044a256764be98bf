//go:build linux || darwin

package keeper

import (
	"errors"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/hostagent/transport"
)

// carry passes bytes and ends of halves between the agent and the guest until both halves have ended, or one side has
// gone.
func (s *server) carry(stream uint64, agent *net.UnixConn, guest transport.Conn) {
	_ = agent.SetWriteBuffer(socketBuffer) // as much as it may be
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.fromGuest(stream, agent, guest)
	}()
	s.toGuest(agent, guest)
	guest.Close()
	<-done
}

// fromGuest runs until the guest's end.
func (s *server) fromGuest(stream uint64, agent *net.UnixConn, guest transport.Conn) {
	out := onlyWriter{agent}
	_, err := io.Copy(out, guest)
	if err == nil {
		s.ended.add(stream) // before the agent can ask
		_ = agent.CloseWrite()
		return
	}
	agent.Close() // cut: there is no ending to be found
	guest.Close()
}

// onlyWriter keeps io.Copy from anything but the guest's own WriteTo.
type onlyWriter struct{ io.Writer }

// toGuest runs until the agent has closed both halves, or the stream was cut. A buffer is held only while there is
// something in it: most of many streams are silent.
func (s *server) toGuest(agent *net.UnixConn, guest transport.Conn) {
	raw, err := agent.SyscallConn()
	if err != nil {
		return
	}
	for {
		n, buf, err := s.take(raw)
		if err != nil {
			return
		}
		if n == 0 {
			break
		}
		_, err = guest.Write((*buf)[:n])
		s.buffers.Put(buf)
		if errors.Is(err, syscall.EPIPE) { // the guest takes no more, but may still send
			_ = agent.CloseRead()
			break
		}
		if err != nil {
			agent.Close()
			return
		}
	}
	_ = guest.CloseWrite()
	_ = raw.Read(func(fd uintptr) bool { return hungUp(int(fd)) })
}

// take waits for bytes and reads them into a buffer; 0 at the end.
func (s *server) take(raw syscall.RawConn) (n int, buf *[]byte, err error) {
	waitErr := raw.Read(func(fd uintptr) bool {
		buf = s.buffers.Get().(*[]byte)
		if n, err = unix.Read(int(fd), *buf); n <= 0 {
			s.buffers.Put(buf)
			buf = nil
		}
		return err != unix.EAGAIN
	})
	return max(n, 0), buf, errors.Join(waitErr, err)
}

// hungUp says whether the other side has closed both halves.
func hungUp(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd)}}
	_, err := unix.Poll(p, 0)
	return err == nil && p[0].Revents&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0
}
