package main

import (
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/hostagent/vm/vmtest/guest"
)

func run() {
	check("mount /proc", unix.Mount("proc", "/proc", "proc", 0, ""))
	order, err := os.ReadFile("/modules/order")
	check("modules", err)
	for _, name := range strings.Fields(string(order)) {
		check("module "+name, load("/modules/"+name))
	}
	for _, port := range guest.Ports() {
		l, err := listen(port)
		check("listen", err)
		go serve(l, port)
	}
	select {}
}

// check panics the kernel with a message, which the test finds on the console.
func check(what string, err error) {
	if err != nil {
		fmt.Println("init:", what, err)
		os.Exit(1)
	}
}

func load(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.FinitModule(int(f.Fd()), "", 0)
}

func listen(port uint32) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, &unix.SockaddrVM{CID: unix.VMADDR_CID_ANY, Port: port}); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "listener"), unix.Listen(fd, 4096)
}

func serve(l *os.File, port uint32) {
	raw, err := l.SyscallConn()
	check("listener", err)
	for {
		fd := -1
		err := raw.Read(func(s uintptr) bool {
			fd, _, err = unix.Accept4(int(s), unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
			return err != unix.EAGAIN
		})
		if err == nil && fd >= 0 {
			go guest.Handle(port, &conn{os.NewFile(uintptr(fd), "stream")}, machine{})
		}
	}
}

// conn makes a stream of a file.
type conn struct{ *os.File }

func (c *conn) CloseWrite() error {
	raw, err := c.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_WR) })
	}
	return err
}

func (*conn) LocalAddr() net.Addr  { return nil }
func (*conn) RemoteAddr() net.Addr { return nil }

type machine struct{}

func (machine) Off() {
	unix.Sync()
	check("power off", unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF))
}

// Crash ends the first process, at which the kernel panics.
func (machine) Crash() { os.Exit(3) }

func (machine) BootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return time.Now().String()
	}
	return strings.TrimSpace(string(b))
}
