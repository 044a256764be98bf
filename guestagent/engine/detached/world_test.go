//go:build linux

package detached

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/guestagent/engine/inroot"
)

func TestWorld(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	dir, vol := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{dir + "/f": "root's", vol + "/v": "volume's"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/", dir+"/up"); err != nil {
		t.Fatal(err)
	}
	root, err := Tree(dir, false)
	if err != nil {
		t.Skip("no detached mounts here: ", err)
	}
	defer root.Close()
	w, err := NewWorld(root, t.TempDir(), []Bind{{Source: vol, Target: "/up/data/vol"}, {Source: vol + "/v", Target: "/etc/one", ReadOnly: true}}, true)
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		fd, err := inroot.Open(int(w.Dir.Fd()), name, unix.O_RDONLY, 0)
		if err != nil {
			return err.Error()
		}
		f := os.NewFile(uintptr(fd), name)
		defer f.Close()
		b, _ := io.ReadAll(f)
		return string(b)
	}
	for name, want := range map[string]string{"/f": "root's", "/data/vol/v": "volume's", "/etc/one": "volume's", "/up/up/data/vol/../vol/v": "volume's"} {
		if got := read(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if fd, err := inroot.Open(int(w.Dir.Fd()), "/etc/one", unix.O_WRONLY, 0); err == nil {
		unix.Close(fd)
		t.Error("what is read-only can be written")
	}
	if fd, err := inroot.Open(int(w.Dir.Fd()), "/f", unix.O_WRONLY, 0); err == nil {
		unix.Close(fd)
		t.Error("the read-only root can be written")
	}
	if fd, err := inroot.Open(int(w.Dir.Fd()), "/data/vol/v", unix.O_WRONLY, 0); err != nil {
		t.Errorf("a volume on a read-only root: %v", err)
	} else {
		unix.Close(fd)
	}
	if b, err := os.ReadFile("/proc/self/mountinfo"); err != nil || strings.Contains(string(b), vol) {
		t.Errorf("the machine sees the mounts (%v)", err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(dir + "/data/vol/*"); len(left) > 0 {
		t.Errorf("%v is left in the root", left)
	}
}
