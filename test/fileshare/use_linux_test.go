package fileshare

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/hostagent/fileshare"
)

func TestFsx(t *testing.T) {
	s := mounted(t, fileshare.Options{})
	for seed := range 3 {
		name := fmt.Sprintf("fsx%d", seed)
		if err := runProgram(t, "fsx", filepath.Join(s.guest, name), fmt.Sprint(seed)); err != nil {
			t.Fatal(err)
		}
		host, model := read(t, filepath.Join(s.host, name)), read(t, filepath.Join(s.host, name+".model"))
		if host != model {
			t.Errorf("seed %d: the host's file differs from the model", seed)
		}
	}
}

func TestOwnersAndModes(t *testing.T) {
	owners := filepath.Join(t.TempDir(), "owners.db")
	s := mounted(t, fileshare.Options{Owners: owners})
	in := func(name string) string { return filepath.Join(s.guest, name) }
	must(t, os.Mkdir(filepath.Join(s.host, "data"), 0o755))
	must(t, runProgram(t, "asuser", "999", "write", in("data/by user")))
	must(t, os.WriteFile(in("root's"), nil, 0o644))
	must(t, os.WriteFile(in("secret"), nil, 0o600))
	must(t, os.Chmod(in("secret"), 0o040))
	must(t, os.Chown(in("data"), 70, 70))
	must(t, unix.Chmod(in("data"), 0o2700))
	must(t, os.Symlink("x", in("ln")))
	must(t, os.Lchown(in("ln"), 5, 6))
	must(t, os.WriteFile(in("prog"), nil, 0o755))
	must(t, os.Chmod(in("prog"), 0o755|fs.ModeSetuid))
	must(t, runProgram(t, "asuser", "1234", "append", in("root's")))
	if err := runProgram(t, "asuser", "1234", "chown", in("root's")); err == nil {
		t.Error("a user takes a file of root's")
	}
	if err := runProgram(t, "asuser", "1234", "chmod", in("root's")); err == nil {
		t.Error("a user makes a file of root's setuid")
	}
	want := map[string]string{
		"data": "42700 70:70", "data/by user": "100640 999:999", "root's": "100644 0:0", "secret": "100040 0:0",
		"ln": "120777 5:6", "prog": "104755 0:0",
	}
	shown := func(when string) {
		for name, w := range want {
			var st unix.Stat_t
			must(t, unix.Lstat(in(name), &st))
			if got := fmt.Sprintf("%o %d:%d", st.Mode, st.Uid, st.Gid); got != w {
				t.Errorf("%s, %s: %s, want %s", when, name, got, w)
			}
		}
	}
	shown("at once")
	for name, w := range map[string]fs.FileMode{"secret": 0o640, "prog": 0o755, "data": 0o700 | fs.ModeDir, "data/by user": 0o640} {
		fi, err := os.Stat(filepath.Join(s.host, name))
		must(t, err)
		if fi.Mode() != w || fi.Sys().(*syscall.Stat_t).Uid != uint32(os.Getuid()) {
			t.Errorf("the host has %s as %v, owner %d", name, fi.Mode(), fi.Sys().(*syscall.Stat_t).Uid)
		}
	}
	if n, err := unix.Listxattr(in("prog"), make([]byte, 1000)); err != nil || n != 0 {
		t.Errorf("the record of the owner shows in the guest: %d, %v", n, err)
	}
	s.server.stop()
	s.relay.stop()
	s.relay = start(t, "relay", s.spec)
	s.server = start(t, "server", s.spec)
	shown("after a restart")
	must(t, os.Chmod(filepath.Join(s.host, "secret"), 0o444))
	want["secret"] = "100444 0:0"
	eventually(t, "the host's chmod counts", func() bool { fi, err := os.Stat(in("secret")); return err == nil && fi.Mode() == 0o444 })
	shown("after the host's chmod")
}

func TestLocksHoldOnBothSides(t *testing.T) {
	s := mounted(t, fileshare.Options{})
	must(t, os.WriteFile(filepath.Join(s.host, "f"), make([]byte, 100), 0o644))
	for _, side := range [][2]string{{s.guest, s.guest}, {s.guest, s.host}, {s.host, s.guest}} {
		a, b := filepath.Join(side[0], "f"), filepath.Join(side[1], "f")
		holder := program("lock", a, "write", "10", "10", "try", "1h")
		out, err := holder.StdoutPipe()
		must(t, err)
		must(t, holder.Start())
		_, err = io.ReadFull(out, make([]byte, len("locked\n")))
		must(t, err)
		if err := runProgram(t, "lock", b, "write", "15", "1", "try"); err == nil || !strings.Contains(err.Error(), "temporarily unavailable") {
			t.Errorf("%s holds, %s gets the same range: %v", a, b, err)
		}
		if err := runProgram(t, "lock", b, "write", "20", "5", "try"); err != nil {
			t.Errorf("%s holds, %s does not get another range: %v", a, b, err)
		}
		waiter := program("lock", b, "read", "0", "0", "wait")
		must(t, waiter.Start())
		time.Sleep(100 * time.Millisecond)
		must(t, holder.Process.Kill())
		_ = holder.Wait()
		ended := make(chan error, 1)
		go func() { ended <- waiter.Wait() }()
		select {
		case err := <-ended:
			must(t, err)
		case <-time.After(5 * time.Second):
			t.Errorf("%s is gone, %s still waits", a, b)
			_ = waiter.Process.Kill()
			<-ended
		}
	}
}

func TestFlock(t *testing.T) {
	s := mounted(t, fileshare.Options{})
	must(t, os.WriteFile(filepath.Join(s.host, "f"), nil, 0o644))
	a, err := os.Open(filepath.Join(s.guest, "f"))
	must(t, err)
	defer a.Close()
	for _, root := range []string{s.guest, s.host} {
		b, err := os.Open(filepath.Join(root, "f"))
		must(t, err)
		must(t, unix.Flock(int(a.Fd()), unix.LOCK_EX|unix.LOCK_NB))
		if err := unix.Flock(int(b.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != unix.EWOULDBLOCK {
			t.Errorf("%s: %v", root, err)
		}
		must(t, unix.Flock(int(a.Fd()), unix.LOCK_UN))
		must(t, unix.Flock(int(b.Fd()), unix.LOCK_SH|unix.LOCK_NB))
		must(t, b.Close())
	}
}

// TestInterrupt kills a process that waits for a lock: it must be gone although the lock is not to be had.
func TestInterrupt(t *testing.T) {
	s := mounted(t, fileshare.Options{})
	must(t, os.WriteFile(filepath.Join(s.guest, "f"), nil, 0o644))
	holder := program("lock", filepath.Join(s.host, "f"), "write", "0", "0", "try", "1h")
	out, err := holder.StdoutPipe()
	must(t, err)
	must(t, holder.Start())
	defer func() { _ = holder.Process.Kill(); _ = holder.Wait() }()
	_, err = io.ReadFull(out, make([]byte, len("locked\n")))
	must(t, err)
	waiter := program("lock", filepath.Join(s.guest, "f"), "write", "0", "0", "wait")
	must(t, waiter.Start())
	time.Sleep(100 * time.Millisecond)
	must(t, waiter.Process.Signal(unix.SIGTERM))
	ended := make(chan struct{})
	go func() { _ = waiter.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Fatal("a process that waits for a lock cannot be ended")
	}
}

// TestDatabaseFromBothSides counts in one SQLite database from the guest and from the host at once.
func TestDatabaseFromBothSides(t *testing.T) {
	if _, err := exec.LookPath("sqlite3"); err != nil {
		t.Skip("sqlite3 is not installed")
	}
	s := mounted(t, fileshare.Options{})
	sql := func(root, text string) (string, error) {
		out, err := exec.Command("sqlite3", "-cmd", ".timeout 60000", filepath.Join(root, "db"), text).CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if out, err := sql(s.guest, "create table c(n); insert into c values(0);"); err != nil {
		t.Fatal(out, err)
	}
	const each = 40
	var all sync.WaitGroup
	for _, root := range []string{s.guest, s.guest, s.host} {
		all.Add(1)
		go func() {
			defer all.Done()
			for range each {
				if out, err := sql(root, "begin immediate; update c set n=n+1; commit;"); err != nil {
					t.Errorf("%s: %s %v", root, out, err)
					return
				}
			}
		}()
	}
	all.Wait()
	for _, root := range []string{s.guest, s.host} {
		if out, err := sql(root, "select n from c; pragma integrity_check;"); err != nil || out != fmt.Sprintf("%d\nok", 3*each) {
			t.Errorf("%s: %q %v", root, out, err)
		}
	}
}

func TestGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	s := mounted(t, fileshare.Options{})
	git := func(args ...string) string {
		t.Helper()
		c := exec.Command("git", append([]string{"-C", s.guest, "-c", "user.name=n", "-c", "user.email=e", "-c", "safe.directory=*"}, args...)...)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v: %s", args, err, out)
		}
		return string(out)
	}
	git("init", "-q")
	for i := range 200 {
		p := filepath.Join(s.guest, fmt.Sprintf("d%d/f%d", i%10, i))
		must(t, os.MkdirAll(filepath.Dir(p), 0o755))
		must(t, os.WriteFile(p, []byte(strings.Repeat("line\n", i)), 0o644))
	}
	git("add", ".")
	git("commit", "-qm", "one")
	must(t, os.WriteFile(filepath.Join(s.host, "d1/f1"), []byte("by the host"), 0o644))
	eventually(t, "git sees the host's change", func() bool { return strings.Contains(git("status", "--porcelain"), "d1/f1") })
	git("checkout", "-qb", "other")
	git("commit", "-qam", "two")
	git("checkout", "-q", "-")
	git("merge", "-q", "other")
	git("gc", "-q")
	git("fsck", "--strict")
	if out := git("status", "--porcelain"); out != "" {
		t.Errorf("not clean: %s", out)
	}
}

func TestTmpfileAndHoles(t *testing.T) {
	s := mounted(t, fileshare.Options{})
	fd, err := unix.Open(s.guest, unix.O_TMPFILE|unix.O_RDWR, 0o600)
	must(t, err)
	_, err = unix.Pwrite(fd, []byte("data"), 1<<20)
	must(t, err)
	must(t, unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, filepath.Join(s.guest, "named"), unix.AT_SYMLINK_FOLLOW))
	at, err := unix.Seek(fd, 0, unix.SEEK_DATA)
	must(t, err)
	if at != 1<<20 {
		t.Errorf("data begins at %d", at)
	}
	must(t, unix.Close(fd))
	var st unix.Stat_t
	must(t, unix.Stat(filepath.Join(s.host, "named"), &st))
	if st.Size != 1<<20+4 || st.Blocks > 64 {
		t.Errorf("on the host: %d bytes in %d blocks", st.Size, st.Blocks)
	}
}

func TestReadOnlyAndSingleFile(t *testing.T) {
	ro := mounted(t, fileshare.Options{ReadOnly: true})
	must(t, os.WriteFile(filepath.Join(ro.host, "f"), []byte("x"), 0o644))
	if got := read(t, filepath.Join(ro.guest, "f")); got != "x" {
		t.Errorf("read %q", got)
	}
	for what, err := range map[string]error{
		"write":  os.WriteFile(filepath.Join(ro.guest, "f"), nil, 0o644),
		"create": os.WriteFile(filepath.Join(ro.guest, "g"), nil, 0o644),
		"mkdir":  os.Mkdir(filepath.Join(ro.guest, "d"), 0o755),
		"remove": os.Remove(filepath.Join(ro.guest, "f")),
		"chmod":  os.Chmod(filepath.Join(ro.guest, "f"), 0o600),
	} {
		if !errors.Is(err, unix.EROFS) {
			t.Errorf("%s: %v", what, err)
		}
	}
	path := filepath.Join(t.TempDir(), "one file")
	must(t, os.WriteFile(path, []byte("first"), 0o644))
	one := mounted(t, fileshare.Options{Path: path})
	if got := read(t, one.guest); got != "first" {
		t.Errorf("read %q", got)
	}
	must(t, os.WriteFile(one.guest, []byte("second"), 0o644))
	if got := read(t, path); got != "second" {
		t.Errorf("the host reads %q", got)
	}
}

// TestStreamsEnd ends the server while a file is read, and starts another: what the guest asks meanwhile waits.
func TestStreamsEnd(t *testing.T) {
	s := mounted(t, fileshare.Options{})
	must(t, os.WriteFile(filepath.Join(s.host, "f"), bytes.Repeat([]byte("x"), 1<<20), 0o644))
	must(t, s.server.cmd.Process.Signal(unix.SIGSTOP))
	got := make(chan error, 1)
	go func() { _, err := os.Stat(filepath.Join(s.guest, "f")); got <- err }()
	time.Sleep(50 * time.Millisecond)
	s.server.kill()
	s.server = start(t, "server", s.spec)
	select {
	case err := <-got:
		must(t, err)
	case <-time.After(5 * time.Second):
		t.Fatal("a request is lost with its stream")
	}
	if len(read(t, filepath.Join(s.guest, "f"))) != 1<<20 {
		t.Error("the file is not read whole by the new server")
	}
}
