package fileshare

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/hostagent/fileshare"
)

// inotify gathers what a program that watches a directory is told.
type inotify struct {
	t    *testing.T
	fd   int
	dirs map[int32]string
}

const told = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MODIFY | unix.IN_ATTRIB | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_CLOSE_WRITE

func watching(t *testing.T, root string, dirs ...string) *inotify {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	must(t, err)
	t.Cleanup(func() { _ = unix.Close(fd) })
	w := &inotify{t: t, fd: fd, dirs: map[int32]string{}}
	for _, d := range append([]string{""}, dirs...) {
		wd, err := unix.InotifyAddWatch(fd, filepath.Join(root, d), told)
		must(t, err)
		w.dirs[int32(wd)] = d
	}
	return w
}

var names = []struct {
	mask uint32
	name string
}{
	{unix.IN_CREATE, "CREATE"}, {unix.IN_DELETE, "DELETE"}, {unix.IN_MODIFY, "MODIFY"}, {unix.IN_ATTRIB, "ATTRIB"},
	{unix.IN_MOVED_FROM, "FROM"}, {unix.IN_MOVED_TO, "TO"}, {unix.IN_CLOSE_WRITE, "CLOSE"},
}

// seen reads events until none has come for quiet. Moves carry the order in which their cookie came up.
func (w *inotify) seen(quiet time.Duration) (out []string) {
	w.t.Helper()
	cookies := map[uint32]int{}
	buf := make([]byte, 64<<10)
	for {
		p := []unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, int(quiet.Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		must(w.t, err)
		if n == 0 {
			return out
		}
		n, err = unix.Read(w.fd, buf)
		must(w.t, err)
		for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			ne := binary.NativeEndian
			wd, mask, cookie, size := int32(ne.Uint32(b)), ne.Uint32(b[4:]), ne.Uint32(b[8:]), int(ne.Uint32(b[12:]))
			name, _, _ := bytes.Cut(b[unix.SizeofInotifyEvent:unix.SizeofInotifyEvent+size], []byte{0})
			b = b[unix.SizeofInotifyEvent+size:]
			if cookie != 0 && cookies[cookie] == 0 {
				cookies[cookie] = len(cookies) + 1
			}
			for _, m := range names {
				if mask&m.mask == 0 {
					continue
				}
				e := m.name + " " + filepath.Join(w.dirs[wd], string(name))
				if mask&unix.IN_ISDIR != 0 {
					e += "/"
				}
				if cookie != 0 {
					e += fmt.Sprintf(" #%d", cookies[cookie])
				}
				if len(out) == 0 || out[len(out)-1] != e {
					out = append(out, e)
				}
			}
		}
	}
}

// settled is longer than a change of the host takes to be repeated.
const settled = 300 * time.Millisecond

// TestHostChangesRaiseTheSameEvents makes each change on the host, and compares what a watcher in the guest is told with
// what the host's kernel tells one on the host.
func TestHostChangesRaiseTheSameEvents(t *testing.T) {
	s := mounted(t, fileshare.Options{})
	in := func(name string) string { return filepath.Join(s.host, name) }
	must(t, os.Mkdir(in("sub"), 0o755))
	must(t, os.WriteFile(in("old"), []byte("x"), 0o644))
	must(t, os.WriteFile(in("other"), []byte("x"), 0o644))
	steps := []struct {
		what string
		do   func() error
	}{
		{"create", func() error { return os.WriteFile(in("new file"), nil, 0o644) }},
		{"write", func() error { return appendTo(in("old"), "more") }},
		{"write a file that the guest never looked at", func() error { return appendTo(in("other"), "more") }},
		{"chmod", func() error { return os.Chmod(in("old"), 0o600) }},
		{"mkdir", func() error { return os.Mkdir(in("dir"), 0o755) }},
		{"symlink", func() error { return os.Symlink("old", in("ln")) }},
		{"fifo", func() error { return unix.Mkfifo(in("pipe"), 0o644) }},
		{"rename", func() error { return os.Rename(in("old"), in("renamed")) }},
		{"rename to another directory", func() error { return os.Rename(in("renamed"), in("sub/renamed")) }},
		{"rename over a file", func() error { return os.Rename(in("new file"), in("other")) }},
		{"rename a directory", func() error { return os.Rename(in("dir"), in("sub/dir2")) }},
		{"save as editors do", func() error {
			if err := os.WriteFile(in(".tmp"), []byte("saved"), 0o644); err != nil {
				return err
			}
			return os.Rename(in(".tmp"), in("other"))
		}},
		{"unlink", func() error { return os.Remove(in("other")) }},
		{"unlink what the guest never looked at", func() error { return os.Remove(in("pipe")) }},
		{"rmdir", func() error { return os.Remove(in("sub/dir2")) }},
	}
	_ = read(t, filepath.Join(s.guest, "old"))
	time.Sleep(settled)
	host, guest := watching(t, s.host, "sub"), watching(t, s.guest, "sub")
	for _, step := range steps {
		must(t, step.do())
		want, got := host.seen(settled), guest.seen(settled)
		if len(want) == 0 {
			t.Fatalf("%s: the host itself tells nothing", step.what)
		}
		if !slices.Equal(withoutNoise(want), withoutNoise(got)) {
			t.Errorf("%s: the host tells %q, the guest %q", step.what, want, got)
		}
	}
	if h, g := list(t, s.host), list(t, s.guest); !equal(h, g) {
		t.Errorf("afterwards the host has %q, the guest %q", h, g)
	}
}

// withoutNoise leaves out that a file was closed, where it says the same as another event before, and counts a repetition
// once: a watcher may be told more often or less often of one write.
func withoutNoise(events []string) (out []string) {
	for _, e := range events {
		if !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	return out
}

// TestGuestChangesAreToldOnce makes changes in the guest: its watchers are told by its own kernel and by nobody else.
func TestGuestChangesAreToldOnce(t *testing.T) {
	s := mounted(t, fileshare.Options{})
	in := func(name string) string { return filepath.Join(s.guest, name) }
	host, guest := watching(t, s.host), watching(t, s.guest)
	must(t, os.WriteFile(in("a"), []byte("1"), 0o644))
	must(t, os.Rename(in("a"), in("b")))
	must(t, os.Chmod(in("b"), 0o600))
	must(t, os.Mkdir(in("d"), 0o755))
	must(t, os.Remove(in("b")))
	must(t, os.Remove(in("d")))
	got := guest.seen(settled)
	for _, once := range []string{"CREATE a", "FROM a #1", "TO b #1", "ATTRIB b", "CREATE d/", "DELETE b", "DELETE d/"} {
		if n := count(got, once); n != 1 {
			t.Errorf("the guest is told %d times of %q: %q", n, once, got)
		}
	}
	want := host.seen(settled)
	for _, once := range []string{"CREATE a", "FROM a #1", "TO b #1", "CREATE d/", "DELETE b", "DELETE d/"} {
		if n := count(want, once); n != 1 {
			t.Errorf("the host is told %d times of %q: %q", n, once, want)
		}
	}
}

// TestRepeatedChangesReachNoFile counts what the host's kernel sees while the guest repeats: nothing.
func TestRepeatedChangesReachNoFile(t *testing.T) {
	s := mounted(t, fileshare.Options{})
	guest := watching(t, s.guest)
	must(t, os.WriteFile(filepath.Join(s.host, "f"), []byte("1"), 0o644))
	guest.seen(settled)
	host := watching(t, s.host)
	before := mtime(t, filepath.Join(s.host, "f"))
	must(t, appendTo(filepath.Join(s.host, "f"), "2"))
	after := mtime(t, filepath.Join(s.host, "f"))
	if before.Equal(after) {
		t.Fatal("the change did not move the time: the test cannot tell")
	}
	if got := guest.seen(settled); !slices.Contains(got, "MODIFY f") {
		t.Fatalf("the guest is told %q", got)
	}
	if got := host.seen(settled); strings.Join(got, ",") != "MODIFY f,CLOSE f" {
		t.Errorf("on the host came of one write: %q", got)
	}
	if now := mtime(t, filepath.Join(s.host, "f")); !now.Equal(after) {
		t.Errorf("the file's time moved from %v to %v", after, now)
	}
}

func mtime(t *testing.T, path string) time.Time {
	t.Helper()
	fi, err := os.Stat(path)
	must(t, err)
	return fi.ModTime()
}

func count(all []string, one string) (n int) {
	for _, e := range all {
		if e == one {
			n++
		}
	}
	return n
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	return f.Close()
}
