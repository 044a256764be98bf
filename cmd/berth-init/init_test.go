//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

const asInit = "BERTH_TEST_AS_INIT"

// TestMain lets the test program be the program under test.
func TestMain(m *testing.M) {
	if os.Getenv(asInit) != "" {
		os.Unsetenv(asInit)
		os.Exit(run(os.Args[1:], os.Stderr))
	}
	os.Exit(m.Run())
}

func command(args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), asInit+"=1")
	return cmd
}

func TestEndsAsTheCommandDoes(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		code int
		says string
	}{
		"exit code":      {[]string{"--", "sh", "-c", "exit 3"}, 3, ""},
		"signal":         {[]string{"--", "sh", "-c", "kill -9 $$"}, 137, ""},
		"no dashes":      {[]string{"true"}, 0, ""},
		"not found":      {[]string{"--", "/no/such"}, 127, "/no/such"},
		"not in path":    {[]string{"--", "nosuchcommand"}, 127, "nosuchcommand"},
		"not executable": {[]string{"--", "/etc/passwd"}, 126, "permission denied"},
		"nothing":        {nil, 1, "usage"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := command(tc.args...)
			var said bytes.Buffer
			cmd.Stderr = &said
			cmd.Run()
			if code := cmd.ProcessState.ExitCode(); code != tc.code || !strings.Contains(said.String(), tc.says) {
				t.Errorf("exit code %d, said %q", code, said.String())
			}
		})
	}
}

func TestSignalsArePassedOn(t *testing.T) {
	cmd := command("--", "sh", "-c", "trap 'exit 42' TERM; echo ready; while :; do sleep 0.01; done")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Fscanln(out, new(string))
	cmd.Process.Signal(syscall.SIGTERM)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 42 {
		t.Errorf("exit code %d", code)
	}
}

func TestOrphansAreReaped(t *testing.T) {
	cmd := command("--", "sh", "-c", "(sleep 0.05 & echo $!); sleep 5")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() }()
	var orphan int
	fmt.Fscanln(out, &orphan)
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if syscall.Kill(orphan, 0) == syscall.ESRCH {
			return
		}
	}
	t.Errorf("process %d is a zombie still", orphan)
}
