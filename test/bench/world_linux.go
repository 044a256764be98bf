package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// again runs this program inside namespaces of its own; when its first process ends the kernel ends all others.
func again() int {
	cmd := exec.Command("/proc/self/exe", append([]string{"inside"}, os.Args[1:]...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID, Pdeathsig: unix.SIGKILL}
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

// furnish makes the namespaces fit for engines: a loopback, a proc of their own, an empty /run, cgroup v1 alone where
// the machine has both (crun refuses a hybrid).
func furnish() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	for _, m := range []struct{ src, dst, kind string }{{"proc", "/proc", "proc"}, {"tmpfs", "/run", "tmpfs"}} {
		if err := unix.Mount(m.src, m.dst, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mounting %s: %w", m.dst, err)
		}
	}
	if err := freshSys(); err != nil {
		return err
	}
	os.MkdirAll("/run/lock", 0o755)
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
}

// freshSys mounts the /sys of the own network namespace, with the machine's cgroups.
func freshSys() error {
	hold, err := os.MkdirTemp("", "bench-cgroup")
	if err != nil {
		return err
	}
	defer os.Remove(hold)
	if err := unix.Mount("/sys/fs/cgroup", hold, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	if err := unix.Mount("sysfs", "/sys", "sysfs", 0, ""); err != nil {
		return err
	}
	if err := unix.Mount(hold, "/sys/fs/cgroup", "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	unix.Unmount(hold, unix.MNT_DETACH)
	if _, err := os.Stat("/sys/fs/cgroup/memory"); err == nil {
		unix.Unmount("/sys/fs/cgroup/unified", unix.MNT_DETACH) // a pure v2 machine has none
	}
	return nil
}

// enter makes a tree the root of this process, in mounts of its own; the shared directories are the same on both sides.
func enter(tree string, shared []string) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount(tree, tree, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	for _, dir := range append([]string{"/proc", "/sys", "/dev", "/run"}, shared...) {
		at := filepath.Join(tree, dir)
		if err := os.MkdirAll(at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(dir, at, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("sharing %s: %w", dir, err)
		}
	}
	old := filepath.Join(tree, ".old")
	if err := os.MkdirAll(old, 0o755); err != nil {
		return err
	}
	if err := unix.PivotRoot(tree, old); err != nil {
		return err
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Unmount("/.old", unix.MNT_DETACH); err != nil {
		return err
	}
	return unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, "")
}

// freePort is a port of 127.0.0.1 that nobody listens on.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	return strings.Join(strings.Fields(string(b))[:3], " ")
}
