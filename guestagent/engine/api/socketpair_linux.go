package api

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// socketPair makes two connected unix sockets.
func socketPair() (near, far net.Conn, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	near, nearErr := connOf(fds[0])
	far, farErr := connOf(fds[1])
	if err := errors.Join(nearErr, farErr); err != nil {
		for _, c := range []net.Conn{near, far} {
			if c != nil {
				_ = c.Close()
			}
		}
		return nil, nil, err
	}
	return near, far, nil
}

func connOf(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "websocket")
	defer func() { _ = f.Close() }() // FileConn has its own descriptor
	return net.FileConn(f)
}
