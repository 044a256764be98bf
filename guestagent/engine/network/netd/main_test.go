//go:build linux

package netd

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The test binary runs in mount and network namespaces of its own.
const childEnv = "BERTH_NETD_TEST_CHILD"

func TestMain(m *testing.M) {
	if slices.ContainsFunc(os.Args, func(a string) bool {
		return strings.HasPrefix(a, "-test.fuzzworker") || strings.HasPrefix(a, "-test.fuzz=")
	}) {
		os.Exit(m.Run()) // fuzzing needs its pipes, and no namespace
	}
	if os.Getenv(childEnv) != "" {
		for _, step := range []error{
			unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), exec.Command("ip", "link", "set", "lo", "up").Run(),
		} {
			if step != nil {
				panic(step)
			}
		}
		os.Exit(m.Run())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS}
	if err := cmd.Start(); err != nil {
		println("SKIP: needs root and namespaces:", err.Error())
		return
	}
	if cmd.Wait() != nil {
		os.Exit(1)
	}
}
