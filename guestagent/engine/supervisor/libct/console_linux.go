//go:build cgo && seccomp

package libct

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// console receives the master of a terminal that libcontainer makes inside the container.
type console struct{ ours, theirs *os.File }

func newConsole() (*console, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("making a console socket: %w", err)
	}
	return &console{ours: os.NewFile(uintptr(pair[0]), "console"), theirs: os.NewFile(uintptr(pair[1]), "console")}, nil
}

// master is what the process has sent when it was started.
func (c *console) master() (*os.File, error) {
	c.theirs.Close()
	buf, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(int(c.ours.Fd()), buf, oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("receiving the terminal: %w", err)
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(msgs) != 1 {
		return nil, errors.New("receiving the terminal: none came")
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) != 1 {
		return nil, errors.New("receiving the terminal: none came")
	}
	return os.NewFile(uintptr(fds[0]), "terminal"), nil
}

func (c *console) close() {
	c.ours.Close()
	c.theirs.Close()
}
