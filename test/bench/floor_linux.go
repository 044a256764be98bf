package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// startFloor is what the kernel alone needs: namespaces, an overlay, an execve. Nothing is confined or recorded.
func startFloor(dir, rootfs string) (*peer, error) {
	a, err := newAgent("", nil)
	if err != nil {
		return nil, err
	}
	work := filepath.Join(dir, "floor")
	for _, d := range []string{"upper", "work", "merged"} {
		if err := os.MkdirAll(filepath.Join(work, d), 0o755); err != nil {
			return nil, err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &peer{name: "kernel", agent: a, networks: map[string]string{"none": "none"}, stop: func() {}}
	p.bare = func(string) []string { return []string{self, "floor", rootfs, work} }
	_, err = a.do(order{Argv: p.bare("true")})
	return p, err
}

// floorMain makes the namespaces, and in them runs itself again as floorInit.
func floorMain(rootfs, work string) int {
	cmd := exec.Command("/proc/self/exe", "floor-init", rootfs, work)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS}
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		return 1
	}
	return 0
}

func floorInit(rootfs, work string) int {
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	merged := filepath.Join(work, "merged")
	if err == nil {
		opts := fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work", rootfs, work, work)
		err = unix.Mount("overlay", merged, "overlay", 0, opts)
	}
	if err == nil {
		err = unix.Mount("proc", merged+"/proc", "proc", 0, "")
	}
	if err == nil {
		err = unix.Chroot(merged)
	}
	if err == nil {
		err = os.Chdir("/")
	}
	if err == nil {
		err = unix.Exec("/bin/true", []string{"true"}, nil)
	}
	fmt.Fprintln(os.Stderr, "floor:", err)
	return 1
}
