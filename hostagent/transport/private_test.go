//go:build linux

package transport

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPrivateSocket(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30)) // more than the kernel takes as a name
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	for range 2 { // the second takes the place of what the first left
		l, err := ListenPrivate(path)
		if err != nil {
			t.Fatal(err)
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", st.Mode(), err)
		}
		got := make(chan net.Conn, 1)
		go func() { c, _ := l.Accept(); got <- c }()
		c, err := DialPrivate(path)
		if err != nil {
			t.Fatal(err)
		}
		if s := <-got; s == nil {
			t.Error("not accepted")
		} else {
			s.Close()
		}
		c.Close()
		l.Close()
	}
}

func TestPrivateSocketWantsAPrivateDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := ListenPrivate(filepath.Join(dir, "s")); err == nil || !strings.Contains(err.Error(), "open to others") {
		t.Errorf("%v", err)
	}
	if _, err := ListenPrivate(filepath.Join(dir, "none", "s")); err == nil {
		t.Error("a directory that is not there")
	}
}
