package transport

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// bind and connect go through the directory's descriptor: the kernel takes no more than 107 bytes of a socket's name.
func bind(path string) (l *net.UnixListener, err error) {
	err = short(path, func(name *net.UnixAddr) error {
		l, err = net.ListenUnix("unix", name)
		if err == nil {
			l.SetUnlinkOnClose(false) // by a name that is no longer true
		}
		return err
	})
	return l, err
}

func connect(path string) (c *net.UnixConn, err error) {
	err = short(path, func(name *net.UnixAddr) error {
		c, err = net.DialUnix("unix", nil, name)
		return err
	})
	return c, err
}

func short(path string, use func(*net.UnixAddr) error) error {
	dir, err := os.OpenFile(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer dir.Close()
	name := fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
	return use(&net.UnixAddr{Name: name, Net: "unix"})
}

// peer is the user of the other end.
func peer(c *net.UnixConn) (uid int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	uid = -1
	ctlErr := raw.Control(func(fd uintptr) {
		var cred *unix.Ucred
		if cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			uid = int(cred.Uid)
		}
	})
	if ctlErr != nil {
		err = ctlErr
	}
	return uid, err
}

func owned(f fs.FileInfo) bool {
	st, ok := f.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}
