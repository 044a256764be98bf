//go:build linux

package transport

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestOthersAreTurnedAway dials as another user, who can reach the socket since the test has opened everything to him.
func TestOthersAreTurnedAway(t *testing.T) {
	if path := os.Getenv("BERTH_TEST_DIAL"); path != "" {
		dialAsAnother(t, path)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("becoming another user takes root")
	}
	dir, err := os.MkdirTemp("/var/tmp", "berth-private")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	l, err := ListenPrivate(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, name := range []string{dir, path} {
		if err := os.Chmod(name, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		if c, err := l.Accept(); err == nil {
			accepted <- c
		}
	}()
	program := filepath.Join(dir, "test") // the test's own lies where others do not get
	b, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, b, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-test.run", "^TestOthersAreTurnedAway$", "-test.v")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "BERTH_TEST_DIAL="+path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	select {
	case <-accepted:
		t.Error("another user is accepted")
	case <-time.After(50 * time.Millisecond):
	}
}

func dialAsAnother(t *testing.T, path string) {
	if _, err := DialPrivate(path); err == nil {
		t.Error("a socket of another user is used")
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection is kept: %v", err)
	}
}
