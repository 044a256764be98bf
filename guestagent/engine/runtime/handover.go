//go:build linux

package runtime

import (
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// filer is what the sockets of package net can: give a duplicate of their descriptor.
type filer interface{ File() (*os.File, error) }

// handover makes a descriptor to send to the supervisor from a client's connection. A socket is passed on as it is,
// and the engine's own copy closed, so that the bytes never pass through the engine; anything else (TLS, a pipe within
// the process) is carried over a socket pair for as long as either end is open.
func handover(conn net.Conn) (*os.File, error) {
	if f, ok := conn.(filer); ok {
		file, err := f.File()
		conn.Close()
		return file, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		conn.Close()
		return nil, err
	}
	near := os.NewFile(uintptr(pair[0]), "near")
	far := os.NewFile(uintptr(pair[1]), "far")
	ours, err := net.FileConn(near)
	near.Close()
	if err != nil {
		far.Close()
		conn.Close()
		return nil, err
	}
	go bridge(conn, ours.(*net.UnixConn))
	return far, nil
}

// bridge carries bytes both ways. The client's end of input is passed on; when the supervisor closes, the client's
// connection is closed, which ends the other direction. So does a client that is gone.
func bridge(client net.Conn, ours *net.UnixConn) {
	go func() {
		io.Copy(ours, client)
		ours.CloseWrite()
		if t, ok := client.(interface{ NetConn() net.Conn }); ok && awaitHangup(t.NetConn()) {
			ours.Close()
		}
	}()
	io.Copy(client, ours)
	client.Close()
	ours.Close()
}

// awaitHangup returns true when the peer has given a TCP connection up in both directions, which keep-alive finds out;
// false when the connection was closed here.
func awaitHangup(conn net.Conn) bool {
	s, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return false
	}
	return raw.Read(func(fd uintptr) bool {
		p := []unix.PollFd{{Fd: int32(fd)}}
		n, err := unix.Poll(p, 0)
		return n > 0 && err == nil && p[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
	}) == nil
}
