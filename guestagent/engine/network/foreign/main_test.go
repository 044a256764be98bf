//go:build linux

package foreign

import (
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// alone runs the rest of the test in a network namespace of its own. The thread is never given back, so it dies with
// the test's goroutine and nothing else ever runs there.
func alone(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("needs %s to play another program", p)
		}
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("needs a network namespace of its own: %v", err)
	}
}

func nftScript(t *testing.T, script string) {
	t.Helper()
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func run(t *testing.T, command string) {
	t.Helper()
	if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
}

// closed lists what stops a bridge berth0, and one called br-1.
func closed(t *testing.T) []Hook {
	t.Helper()
	hooks, err := Closed("berth", []Bridge{{"berth0", true, true}, {"br-1", true, true}})
	if err != nil {
		t.Fatal(err)
	}
	return hooks
}
