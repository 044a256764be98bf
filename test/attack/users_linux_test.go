package attack

import (
	"archive/tar"
	"bytes"
	"strings"
	"testing"

	"github.com/berthhq/berth/test/harness"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// CVE-2024-40635: a number that wraps around, or that only looks like one, never becomes root.
func TestUserNumbersDoNotWrap(t *testing.T) {
	w := newWorld(t)
	users := []string{
		"4294967296", "4294967295", "2147483648", "-1", "0x0", "00x0", "18446744073709551616", "99999999999999999999999999",
		"1000:4294967296", "1000:-1", "1000:0x0", "4294967296:4294967296", "1e1", "0.0", " 0", "0 ", "٠",
	}
	base := evil(t, nil)
	for i, user := range users {
		name := "user" + string(rune('a'+i))
		w.Take(name, harness.Image(t, base, func(c *v1.Config) { c.User = user }))
		for launcher, by := range launchers() {
			for what, s := range map[string]harness.Spec{
				"USER of the image": {Image: name, Conf: func(_ *container.Config, h *container.HostConfig) { by(h) }},
				"--user":            {Conf: func(c *container.Config, h *container.HostConfig) { by(h); c.User = user }},
			} {
				notRoot(w, what+" "+user+" by "+launcher, s)
			}
		}
	}
	id := w.Run(harness.Spec{Cmd: []string{"sleep", "1000"}})
	for _, user := range users {
		out, code, err := w.TryExec(id, client.ExecCreateOptions{Cmd: []string{"id"}, User: user})
		if err == nil && code == 0 && strings.Contains(out, "uid=0") {
			t.Errorf("exec --user %s is root: %s", user, out)
		}
	}
}

// notRoot starts a container, if the engine lets it, and fails where it runs as root.
func notRoot(w *harness.World, what string, s harness.Spec) {
	w.Helper()
	s.Cmd = []string{"id"}
	id, err := w.TryCreate(s)
	if err == nil {
		defer w.Remove(id)
		if err = w.TryStart(id); err == nil {
			w.Wait(id)
			if out, errs := w.Logs(id); strings.Contains(out+errs, "uid=0") || strings.Contains(out+errs, "gid=0") {
				w.Errorf("%s is root: %s%s", what, out, errs)
			}
			return
		}
	}
	if strings.Contains(strings.TrimSpace(err.Error()), "\n") {
		w.Errorf("%s: more than one line: %v", what, err)
	}
}

// CVE-2026-47262: the files that name users are the image's, and hostile: whatever stands there, a start ends soon, and
// nothing of the machine is read.
func TestHostileUserFiles(t *testing.T) {
	w := newWorld(t)
	_, file := victim(t)
	ids := []string{"/bin/busybox", "grep", "^[UG]id:", "/proc/self/status"} // id would read the hostile files itself
	long := bytes.Repeat([]byte("u:x:1:1::/:/bin/sh\n"), 12<<20/19)          // more than is read
	for name, f := range map[string]harness.File{
		"huge":    {Name: "etc/passwd", Body: long},
		"line":    {Name: "etc/passwd", Body: bytes.Repeat([]byte("x"), 12<<20)},
		"garbage": {Name: "etc/passwd", Body: []byte("::::\nroot\n\x00\xff:x:-1:-1\nghost:x:7:7::/:\nbig:x:4294967296:4294967296::/:\n")},
		"machine": harness.Symlink("etc/passwd", "/../../../../proc/1/root/etc/passwd"),
		"file":    harness.Symlink("etc/passwd", file),
		"endless": harness.Symlink("etc/passwd", "/dev/zero"),
		"loop":    harness.Symlink("etc/passwd", "passwd"),
		"fifo":    {Name: "etc/passwd", Type: tar.TypeFifo},
		"device":  {Name: "etc/passwd", Type: tar.TypeChar},
		"folder":  harness.Dir("etc/passwd"),
	} {
		group := f
		group.Name = "etc/group"
		w.Take("users-"+name, harness.Image(t, nil, func(c *v1.Config) { c.Env = []string{"PATH=/bin"} }, alone(t, f, group)))
		for launcher, by := range launchers() {
			for _, user := range []string{"", "ghost", "big", "1000:1000"} {
				id := w.Create(harness.Spec{Image: "users-" + name, Cmd: ids, Conf: func(c *container.Config, h *container.HostConfig) {
					by(h)
					c.User, h.GroupAdd = user, []string{"7"}
				}})
				err := w.TryStart(id)
				if err == nil {
					w.Wait(id)
					if out, errs := w.Logs(id); user != "" && strings.Contains(out, "id:\t0") {
						t.Errorf("%s by %s: user %s is root: %s%s", name, launcher, user, out, errs)
					}
				} else if strings.Contains(err.Error(), secret) || len(err.Error()) > 1000 {
					t.Errorf("%s by %s: user %s: %.2000v", name, launcher, user, err)
				}
				if err != nil && (user == "" || user == "1000:1000") && name != "garbage" && name != "line" {
					t.Errorf("%s by %s: user %q does not run: %v", name, launcher, user, err)
				}
				w.Remove(id)
			}
		}
	}
}

// alone is a layer with the program busybox and further files.
func alone(t *testing.T, more ...harness.File) v1.Layer {
	t.Helper()
	return harness.Layer(t, append([]harness.File{harness.Dir("bin/"), {Name: "bin/busybox", Mode: 0o755, Body: harness.BusyboxProgram(t)},
		harness.Dir("etc/")}, more...)...)
}
