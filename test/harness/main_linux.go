package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The test binary runs three times, one inside the other: as go test starts it; as process 1 of new namespaces, which
// reaps; and as the one that runs the tests. When process 1 ends, the kernel ends whatever else is left.
const (
	envStage   = "BERTH_TEST_STAGE"
	envBin     = "BERTH_TEST_BIN"
	stageInit  = "init"
	stageTests = "tests"
	// unfit is the exit code of a stage that this machine does not allow.
	unfit = 97
)

// Main is a TestMain: it builds the programs, and those at the paths of more, once and runs the tests in new
// namespaces. It returns the exit code; without root it is 0 and no test runs.
func Main(m *testing.M, more ...string) int {
	switch os.Getenv(envStage) {
	case stageInit:
		return reap()
	case stageTests:
		return m.Run()
	}
	if os.Geteuid() != 0 {
		fmt.Println("skipped: containers want root")
		return 0
	}
	bin, err := os.MkdirTemp("", "berth-test-bin-")
	if err == nil {
		defer os.RemoveAll(bin)
		err = buildAll(bin, more)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "building the programs:", err)
		return 1
	}
	os.Setenv(envBin, bin)
	code, err := again(stageInit, unix.CLONE_NEWNS|unix.CLONE_NEWNET|unix.CLONE_NEWPID)
	if err != nil {
		fmt.Println("skipped: this machine gives no namespaces:", err)
		return 0
	}
	if code == unfit {
		fmt.Println("skipped: the namespaces could not be furnished, see above")
		return 0
	}
	return code
}

// again runs the test binary as the stage named and returns its exit code.
func again(name string, flags uintptr) (int, error) {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), envStage+"="+name)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: unix.SIGKILL}
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if exit.ExitCode() < 0 {
			return 1, nil
		}
		return exit.ExitCode(), nil
	}
	return 0, err
}

// reap is process 1: it furnishes the namespaces, starts the tests and waits for every process that lost its parent.
func reap() int {
	if err := furnish(); err != nil {
		fmt.Println(err)
		return unfit
	}
	signal.Ignore(unix.SIGPIPE)
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		fmt.Println(err)
		return unfit
	}
	os.Setenv(envStage, stageTests)
	pid, err := syscall.ForkExec(exe, os.Args, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}})
	if err != nil {
		fmt.Println("starting the tests:", err)
		return 1
	}
	for {
		var ws unix.WaitStatus
		got, err := unix.Wait4(-1, &ws, 0, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			fmt.Println("waiting for the tests:", err)
			return 1
		case got == pid && ws.Signaled():
			fmt.Println("the tests were ended by", ws.Signal())
			return 1
		case got == pid:
			return ws.ExitStatus()
		}
	}
}
