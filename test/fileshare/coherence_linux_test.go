package fileshare

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/hostagent/fileshare"
)

// stale is how long the guest may see what is no longer so, and a margin for a machine that does other work.
const stale = 100*time.Millisecond + 400*time.Millisecond

// TestGuestSeesHostChangesSoon lets the guest cache something, changes it on the host, and waits until the guest sees it:
// for each case without and with a watcher.
func TestGuestSeesHostChangesSoon(t *testing.T) {
	for _, noWatch := range []bool{false, true} {
		t.Run(fmt.Sprintf("watcher=%v", !noWatch), func(t *testing.T) { hostChanges(t, noWatch) })
	}
}

func hostChanges(t *testing.T, noWatch bool) {
	s := mounted(t, fileshare.Options{NoWatch: noWatch})
	host := func(name string) string { return filepath.Join(s.host, name) }
	guest := func(name string) string { return filepath.Join(s.guest, name) }
	write := func(name, text string) { t.Helper(); must(t, os.WriteFile(host(name), []byte(text), 0o644)) }
	for _, d := range []string{"dir", "dir/deep", "empty"} {
		must(t, os.Mkdir(host(d), 0o755))
	}
	cases := []struct {
		name           string
		cached, change func()
		seen           func() bool
	}{
		{"a new name", func() { absent(t, guest("dir/new")) }, func() { write("dir/new", "x") }, func() bool { return exists(guest("dir/new")) }},
		{"a name that is gone", func() { write("dir/gone", ""); present(t, guest("dir/gone")) },
			func() { must(t, os.Remove(host("dir/gone"))) }, func() bool { return !exists(guest("dir/gone")) }},
		{"a listing", func() { list(t, guest("empty")); list(t, guest("empty")) }, func() { write("empty/one", "") },
			func() bool { return len(list(t, guest("empty"))) == 1 }},
		{"a size", func() { write("size", "1"); present(t, guest("size")) }, func() { must(t, appendTo(host("size"), "23")) },
			func() bool { fi, err := os.Stat(guest("size")); return err == nil && fi.Size() == 3 }},
		{"a mode", func() { write("mode", "1"); present(t, guest("mode")) }, func() { must(t, os.Chmod(host("mode"), 0o640)) },
			func() bool { fi, err := os.Stat(guest("mode")); return err == nil && fi.Mode() == 0o640 }},
		{"data of the same size", func() { write("dir/deep/data", "aaaa"); read(t, guest("dir/deep/data")) },
			func() { write("dir/deep/data", "bbbb") }, func() bool { return read(t, guest("dir/deep/data")) == "bbbb" }},
		{"a file renamed over", func() { write("over", "old"); read(t, guest("over")) },
			func() { write("tmp", "new"); must(t, os.Rename(host("tmp"), host("over"))) }, func() bool { return read(t, guest("over")) == "new" }},
		{"a directory renamed", func() { write("dir/deep/f", "f"); read(t, guest("dir/deep/f")) },
			func() { must(t, os.Rename(host("dir/deep"), host("dir/moved"))) },
			func() bool { return exists(guest("dir/moved/f")) && !exists(guest("dir/deep/f")) }},
		{"a link that points elsewhere", func() { must(t, os.Symlink("a", host("ln"))); readlink(guest("ln")) },
			func() { must(t, os.Remove(host("ln"))); must(t, os.Symlink("b", host("ln"))) }, func() bool { return readlink(guest("ln")) == "b" }},
		{"a file that became a directory", func() { write("kind", ""); present(t, guest("kind")) },
			func() { must(t, os.Remove(host("kind"))); must(t, os.Mkdir(host("kind"), 0o755)) },
			func() bool { fi, err := os.Stat(guest("kind")); return err == nil && fi.IsDir() }},
		{"a write through another hard link", func() {
			write("dir/moved/h1", "aaaa")
			must(t, os.Link(host("dir/moved/h1"), host("h2")))
			read(t, guest("h2"))
		}, func() { write("dir/moved/h1", "bbbb") }, func() bool { return read(t, guest("h2")) == "bbbb" }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.cached()
			time.Sleep(20 * time.Millisecond)
			c.change()
			start := time.Now()
			for !c.seen() {
				if time.Since(start) > stale {
					t.Fatal("the guest still sees what was before")
				}
				time.Sleep(time.Millisecond)
			}
			t.Logf("after %v", time.Since(start).Round(time.Millisecond))
		})
	}
}

// TestOpenRevalidates reads at once after the host has written, without waiting for anything.
func TestOpenRevalidates(t *testing.T) {
	s := mounted(t, fileshare.Options{})
	path := filepath.Join(s.host, "f")
	for i := range 300 {
		want := strings.Repeat(fmt.Sprintf("round %d ", i), 1+i%7*100)
		must(t, os.WriteFile(path, []byte(want), 0o644))
		if got := read(t, filepath.Join(s.guest, "f")); got != want {
			t.Fatalf("round %d: opened after the write, the guest reads %d bytes %.20q", i, len(got), got)
		}
	}
}

// TestOpenFileSeesChanges keeps a file open in the guest while the host writes to it.
func TestOpenFileSeesChanges(t *testing.T) {
	s := mounted(t, fileshare.Options{})
	must(t, os.WriteFile(filepath.Join(s.host, "f"), []byte("first"), 0o644))
	f, err := os.Open(filepath.Join(s.guest, "f"))
	must(t, err)
	defer f.Close()
	buf := make([]byte, 64)
	n, _ := f.ReadAt(buf, 0)
	if string(buf[:n]) != "first" {
		t.Fatalf("read %q", buf[:n])
	}
	must(t, os.WriteFile(filepath.Join(s.host, "f"), []byte("second and longer"), 0o644))
	eventually(t, "the open file shows the new data", func() bool {
		n, _ := f.ReadAt(buf, 0)
		return string(buf[:n]) == "second and longer"
	})
}

// TestOverflowDropsEverything makes more changes than the watcher's queue holds while the server is stopped.
func TestOverflowDropsEverything(t *testing.T) {
	s := mounted(t, fileshare.Options{})
	const files = 300
	name := func(i int) string { return fmt.Sprintf("f%03d", i) }
	for i := range files {
		must(t, os.WriteFile(filepath.Join(s.host, name(i)), []byte("old"), 0o644))
		read(t, filepath.Join(s.guest, name(i)))
	}
	absent(t, filepath.Join(s.guest, "late"))
	must(t, s.server.cmd.Process.Signal(unix.SIGSTOP))
	for i := range 18000 { // fs.fanotify.max_queued_events is 16384
		p := filepath.Join(s.host, fmt.Sprintf("noise%d", i))
		must(t, os.WriteFile(p, nil, 0o644))
	}
	for i := range files {
		must(t, os.WriteFile(filepath.Join(s.host, name(i)), []byte("new"), 0o644))
	}
	must(t, os.WriteFile(filepath.Join(s.host, "late"), nil, 0o644))
	must(t, s.server.cmd.Process.Signal(unix.SIGCONT))
	time.Sleep(stale)
	for i := range files {
		if fi, err := os.Stat(filepath.Join(s.guest, name(i))); err != nil || fi.Size() != 3 {
			t.Fatalf("%s: %v, %v", name(i), fi, err)
		}
		if got := read(t, filepath.Join(s.guest, name(i))); got != "new" {
			t.Fatalf("%s is still %q", name(i), got)
		}
	}
	eventually(t, "a name that was remembered as missing", func() bool { return exists(filepath.Join(s.guest, "late")) })
}

// TestHostSeesGuestWrites reads on the host at once after a write in the guest, before the guest closes the file.
func TestHostSeesGuestWrites(t *testing.T) {
	s := mounted(t, fileshare.Options{})
	f, err := os.Create(filepath.Join(s.guest, "log"))
	must(t, err)
	defer f.Close()
	var want bytes.Buffer
	for i := range 50 {
		line := fmt.Sprintf("line %d\n", i)
		want.WriteString(line)
		if _, err := f.WriteString(line); err != nil {
			t.Fatal(err)
		}
		if got := read(t, filepath.Join(s.host, "log")); got != want.String() {
			t.Fatalf("after %d lines the host reads %q", i+1, got)
		}
	}
}

// TestWarmReadsAskNothing stops the server: what the guest has cached must answer by itself.
func TestWarmReadsAskNothing(t *testing.T) {
	s := mounted(t, fileshare.Options{})
	must(t, os.MkdirAll(filepath.Join(s.host, "a/b"), 0o755))
	for i := range 50 {
		must(t, os.WriteFile(filepath.Join(s.host, fmt.Sprintf("a/b/%d", i)), []byte("x"), 0o644))
	}
	walk := func() (n int) {
		must(t, filepath.WalkDir(s.guest, func(p string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if _, err := os.Lstat(p); err != nil {
				return err
			}
			absent(t, p+".missing")
			n++
			return nil
		}))
		return n
	}
	walk()
	walk()
	time.Sleep(settled)
	must(t, s.server.cmd.Process.Signal(unix.SIGSTOP))
	done := make(chan int, 1)
	go func() { done <- walk() }()
	select {
	case n := <-done:
		if n != 53 {
			t.Errorf("walked %d names", n)
		}
	case <-time.After(5 * time.Second):
		t.Error("a walk of what is cached waits for the server")
	}
	must(t, s.server.cmd.Process.Signal(unix.SIGCONT))
}

func eventually(t *testing.T, what string, seen func() bool) {
	t.Helper()
	start := time.Now()
	for !seen() {
		if time.Since(start) > stale {
			t.Fatalf("not after %v: %s", stale, what)
		}
		time.Sleep(time.Millisecond)
	}
}

func exists(path string) bool { _, err := os.Lstat(path); return err == nil }

func present(t *testing.T, path string) {
	t.Helper()
	if !exists(path) {
		t.Fatalf("%s is missing", path)
	}
}

func absent(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s: %v", path, err)
	}
}

func readlink(path string) string { s, _ := os.Readlink(path); return s }
