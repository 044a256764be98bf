package streams

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// awaitHangup returns true when the client has closed both directions of its socket and all its input was read. A
// client that has closed only its sending half still reads. false: the wait was ended by a read deadline, or this is no
// socket.
func (c *client) awaitHangup() bool {
	conn, ok := c.conn.(net.Conn)
	if !ok {
		return false
	}
	s, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return false
	}
	hungUp := false
	err = raw.Read(func(fd uintptr) bool { // called again at every change of the socket
		hungUp = isHungUp(int(fd))
		return hungUp
	})
	return hungUp && err == nil
}

func isHungUp(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd)}}
	n, err := ignoringEINTR(func() (int, error) { return unix.Poll(p, 0) })
	if err != nil || n == 0 || p[0].Revents&(unix.POLLHUP|unix.POLLERR) == 0 {
		return false
	}
	unread, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	return err != nil || unread == 0
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// await returns when ready is closed. A client that hangs up before, and has said nothing, is dropped.
func (c *client) await(ready <-chan struct{}) {
	select {
	case <-ready:
		return
	default:
	}
	conn, ok := c.conn.(net.Conn)
	if !ok || len(c.opts.Preface) > 0 {
		<-ready
		return
	}
	over := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-ready:
			conn.SetReadDeadline(longAgo)
		case <-over:
		}
	}()
	if c.awaitHangup() {
		c.abort()
	}
	close(over)
	<-ended
	<-ready
	conn.SetReadDeadline(time.Time{})
}
