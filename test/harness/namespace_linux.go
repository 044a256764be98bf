package harness

import (
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// furnish makes the namespaces a machine of their own: mounts that nobody else sees, an empty /run, a /sys and a /proc
// of these namespaces with the machine's cgroups, a loopback interface, and forwarding.
func furnish() error {
	steps := []struct {
		what string
		do   func() error
	}{
		{"making mounts private", func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }},
		{"mounting /proc", func() error { return unix.Mount("proc", "/proc", "proc", 0, "") }},
		{"mounting /sys", freshSys},
		{"mounting /run", func() error { return unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755") }},
		{"raising the loopback interface", loopbackUp},
		{"allowing forwarding", func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0) }},
		{"hiding the machine's configuration", hideConfig},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	return nil
}

// hideConfig puts something empty over the configuration of the machine's own engine.
func hideConfig() error {
	if _, err := os.Stat("/etc/berth"); err != nil {
		return nil
	}
	return unix.Mount("tmpfs", "/etc/berth", "tmpfs", 0, "mode=755")
}

// freshSys mounts a /sys that shows this network namespace and puts the cgroups back onto it.
func freshSys() error {
	aside, err := os.MkdirTemp("", "berth-test-cgroup-")
	if err != nil {
		return err
	}
	defer os.Remove(aside)
	if err := unix.Mount("/sys/fs/cgroup", aside, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	if err := unix.Mount("sysfs", "/sys", "sysfs", 0, ""); err != nil {
		return err
	}
	if err := unix.Mount(aside, "/sys/fs/cgroup", "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	return unix.Unmount(aside, unix.MNT_DETACH)
}

func loopbackUp() error {
	out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
