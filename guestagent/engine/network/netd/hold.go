//go:build linux

package netd

import (
	"io"
	"net"
	"net/netip"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// holder holds one port of the host, and serves what NAT left to it.
type holder struct {
	port   uint16
	socket io.Closer
	target atomic.Pointer[netip.AddrPort]
}

func (h *holder) setTarget(t netip.AddrPort) { h.target.Store(&t) }

func (h *holder) close() { h.socket.Close() }

// hold binds key's address; port 0 lets the kernel choose.
func hold(key portKey, target netip.AddrPort) (*holder, error) {
	h := &holder{}
	h.setTarget(target)
	suffix := "4"
	if key.ip.Is6() {
		suffix = "6" // and IPv6 only, so that 0.0.0.0 is bound beside it
	}
	addr := netip.AddrPortFrom(key.ip, key.port)
	switch key.proto {
	case "tcp":
		l, err := net.ListenTCP("tcp"+suffix, net.TCPAddrFromAddrPort(addr))
		if err != nil {
			return nil, bindError(key, err)
		}
		h.socket, h.port = l, uint16(l.Addr().(*net.TCPAddr).Port)
		go serveTCP(l, &h.target)
	case "udp":
		c, err := net.ListenUDP("udp"+suffix, net.UDPAddrFromAddrPort(addr))
		if err != nil {
			return nil, bindError(key, err)
		}
		h.socket, h.port = c, uint16(c.LocalAddr().(*net.UDPAddr).Port)
		go serveUDP(c, &h.target)
	default:
		fd, port, err := bindSCTP(addr)
		if err != nil {
			return nil, bindError(key, err)
		}
		h.socket, h.port = fd, port
	}
	return h, nil
}

// bareSocket is a descriptor that is only held.
type bareSocket int

// Close closes the descriptor.
func (s bareSocket) Close() error { return unix.Close(int(s)) }

// bindSCTP binds without serving: SCTP is passed on by NAT alone.
func bindSCTP(addr netip.AddrPort) (bareSocket, uint16, error) {
	family := unix.AF_INET6
	var sa unix.Sockaddr = &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}
	if addr.Addr().Is4() {
		family, sa = unix.AF_INET, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_SCTP)
	if err != nil {
		return 0, 0, err
	}
	if family == unix.AF_INET6 {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	if err == nil {
		err = unix.Bind(fd, sa)
	}
	if err == nil {
		err = unix.Listen(fd, 1)
	}
	if err == nil {
		sa, err = unix.Getsockname(fd)
	}
	if err != nil {
		unix.Close(fd)
		return 0, 0, err
	}
	if four, ok := sa.(*unix.SockaddrInet4); ok {
		return bareSocket(fd), uint16(four.Port), nil
	}
	return bareSocket(fd), uint16(sa.(*unix.SockaddrInet6).Port), nil
}
