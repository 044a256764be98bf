package fileshare

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/hostagent/fileshare"
)

// TestServerIsKilled kills the server under a container's mount of a directory of the share, with a file open and a
// directory watched; the next server goes on.
func TestServerIsKilled(t *testing.T) {
	s := mounted(t, fileshare.Options{Journal: filepath.Join(t.TempDir(), "journal")})
	must(t, os.MkdirAll(filepath.Join(s.host, "a/b"), 0o755))
	must(t, os.WriteFile(filepath.Join(s.host, "a/b/f"), []byte("before"), 0o644))
	bind := filepath.Join(scratch(t), "bind")
	must(t, os.Mkdir(bind, 0o755))
	must(t, unix.Mount(filepath.Join(s.guest, "a/b"), bind, "", unix.MS_BIND, ""))
	t.Cleanup(func() { _ = unix.Unmount(bind, unix.MNT_DETACH) })
	s.spec.Wait = true
	next := start(t, "server", s.spec)
	f, err := os.OpenFile(filepath.Join(bind, "f"), os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	buf := make([]byte, 64)
	n, _ := f.ReadAt(buf, 0)
	if string(buf[:n]) != "before" {
		t.Fatalf("read %q", buf[:n])
	}
	events := watching(t, bind)
	absent(t, filepath.Join(bind, "new"))
	s.server.kill()
	must(t, os.WriteFile(filepath.Join(s.host, "a/b/f"), []byte("meanwhile"), 0o644))
	must(t, os.WriteFile(filepath.Join(s.host, "a/b/new"), nil, 0o644))
	next.begin(t)
	eventually(t, "the open file shows what the host wrote meanwhile", func() bool {
		n, _ := f.ReadAt(buf, 0)
		return string(buf[:n]) == "meanwhile"
	})
	eventually(t, "a name that was made meanwhile", func() bool { return exists(filepath.Join(bind, "new")) })
	if _, err := f.WriteAt([]byte("MEAN"), 0); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(s.host, "a/b/f")); got != "MEANwhile" {
		t.Errorf("the host reads %q", got)
	}
	must(t, os.WriteFile(filepath.Join(bind, "g"), []byte("g"), 0o644))
	time.Sleep(50 * time.Millisecond)
	events.seen(50 * time.Millisecond)
	must(t, os.WriteFile(filepath.Join(s.host, "a/b/later"), nil, 0o644))
	if got := events.seen(settled); !slices.Contains(got, "CREATE later") {
		t.Errorf("a program that watched before the crash is told %q", got)
	}
}

// TestOtherServer mounts anew for a server that has nothing of the one before.
func TestOtherServer(t *testing.T) {
	s := mounted(t, fileshare.Options{})
	must(t, os.WriteFile(filepath.Join(s.host, "f"), []byte("x"), 0o644))
	read(t, filepath.Join(s.guest, "f"))
	s.server.stop()
	time.Sleep(50 * time.Millisecond)
	s.spec.Session = "two"
	s.server = start(t, "server", s.spec)
	if got := read(t, filepath.Join(s.guest, "f")); got != "x" {
		t.Errorf("read %q", got)
	}
}
