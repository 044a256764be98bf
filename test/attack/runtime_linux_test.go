package attack

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"
)

// CVE-2019-5736: a container that lets the runtime execute itself must get no writable hand on any program of berth.
func TestProgramsCannotBeOverwritten(t *testing.T) {
	w := newWorld(t)
	before := programs(t)
	w.Take("script", evil(t, nil, harness.File{Name: "script", Mode: 0o755, Body: []byte("#!/proc/self/exe sleep\n")}))
	for name, by := range launchers() {
		w.Part(name, func(w *harness.World) {
			for _, init := range []bool{false, true} {
				id := w.Run(harness.Spec{Image: "script", Cmd: []string{"/probe", "steal", "/tmp/stop"}, Conf: func(_ *container.Config, h *container.HostConfig) {
					by(h)
					h.Init = &init
				}})
				w.Eventually("the thief waits", func() bool { out, _ := w.Logs(id); return strings.Contains(out, "waiting") })
				for range 5 {
					for _, cmd := range [][]string{{"/proc/self/exe", "sleep", "0.05"}, {"/script"}, {"true"}} {
						detached(w, id, cmd)
					}
				}
				nobodyRuns(w)
				w.Exec(id, "touch", "/tmp/stop")
				w.Wait(id)
				out, _ := copyOut(w, id, "/tmp/stop.log")
				if strings.Contains(out, "stolen") || !strings.Contains(out, "held") {
					w.Errorf("init %v: the thief says %q", init, out)
				}
				w.Logf("init %v: %s", init, strings.TrimSpace(out))
			}
			for _, cmd := range []string{"/proc/self/exe", "/script"} {
				id := w.Create(harness.Spec{Image: "script", Cmd: []string{cmd}, Conf: func(_ *container.Config, h *container.HostConfig) { by(h) }})
				w.TryStart(id)
				w.Remove(id)
			}
		})
	}
	if after := programs(t); !maps.Equal(before, after) {
		t.Errorf("programs changed: %v, were %v", after, before)
	}
}

// nobodyRuns ends all programs of berth for a moment, in which the kernel refuses nobody to write to them for being
// executed, and starts the engine again.
func nobodyRuns(w *harness.World) {
	w.Helper()
	w.Signal(unix.SIGTERM)
	w.Eventually("no program of berth runs", func() bool {
		left := 0
		for _, p := range harness.Processes() {
			if strings.Contains(p.Exe, "berth-supervisor") {
				unix.Kill(p.Pid, unix.SIGTERM)
				left++
			}
		}
		return left == 0
	})
	time.Sleep(300 * time.Millisecond) // the thief needs a few microseconds
	w.Start()
}

// detached runs a command in a container; whether it runs does not matter.
func detached(w *harness.World, id string, cmd []string) {
	e, err := w.API.ExecCreate(w.Ctx(), id, client.ExecCreateOptions{Cmd: cmd})
	if err == nil {
		w.API.ExecStart(w.Ctx(), e.ID, client.ExecStartOptions{Detach: true})
	}
}

// CVE-2024-21626: no descriptor leaks into a container, and none serves as its working directory.
func TestNoDescriptorLeaks(t *testing.T) {
	w := newWorld(t)
	w.Take("linked", evil(t, nil, harness.Symlink("seven", "/proc/self/fd/7"), harness.Symlink("eight", "/proc/self/fd/8/../..")))
	list := []string{"ls", "-l", "/proc/self/fd"}
	for name, by := range launchers() {
		w.Part(name, func(w *harness.World) {
			conf := func(_ *container.Config, h *container.HostConfig) { by(h) }
			if out := w.Output(harness.Spec{Image: "evil", Cmd: list, Conf: conf}); !onlyStdio(out) {
				w.Errorf("run: open besides the streams: %s", out)
			}
			id := w.Run(harness.Spec{Image: "linked", Cmd: []string{"sleep", "1000"}, Conf: conf})
			if out, code := w.Exec(id, list...); !onlyStdio(out) || code != 0 {
				w.Errorf("exec: open besides the streams: %s (%d)", out, code)
			}
			dirs := []string{"/seven", "/eight", "/proc/self/cwd", "/proc/1/root/proc/self/fd/7", "/proc/self/fd/9/../../.."}
			for n := 3; n <= 64; n++ {
				dirs = append(dirs, fmt.Sprintf("/proc/self/fd/%d", n))
			}
			for i, dir := range dirs {
				escapes(w, dir, id, conf, i < 25) // a runtime that starts has few open, one that joins more
			}
		})
	}
}

// onlyStdio says whether ls -l of /proc/self/fd lists the three streams and the directory that ls itself reads,
// which is closed again when ls looks where it leads.
func onlyStdio(out string) bool {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return len(lines) == 6 && strings.HasSuffix(lines[4], " 3") && strings.Contains(lines[5], "fd/3: cannot read link")
}

// escapes tries a working directory in exec, and in run if asked, and looks whether it is one of the machine's.
func escapes(w *harness.World, dir, id string, conf func(*container.Config, *container.HostConfig), run bool) {
	w.Helper()
	look := []string{"sh", "-c", "cat etc/passwd ../etc/passwd ../../etc/passwd ../../../etc/passwd ../../../../etc/passwd | grep -v -e ^root -e ^nobody; pwd -P"}
	check := func(verb, out string, code int, err error) {
		if strings.Contains(out, "daemon:") || strings.Contains(out, "unreachable") {
			w.Errorf("%s --workdir %s leads out: %q, %d, %v", verb, dir, out, code, err)
		}
	}
	out, code, err := w.TryExec(id, client.ExecCreateOptions{Cmd: look, WorkingDir: dir})
	check("exec", out, code, err)
	if !run {
		return
	}
	c, err := w.TryCreate(harness.Spec{Image: "linked", Cmd: look, Conf: func(c *container.Config, h *container.HostConfig) { conf(c, h); c.WorkingDir = dir }})
	if err != nil {
		return
	}
	if err = w.TryStart(c); err == nil {
		code = w.Wait(c)
		out, errs := w.Logs(c)
		check("run", out+errs, code, nil)
	}
	w.Remove(c)
}

// CVE-2022-29162: no process of a container has inheritable capabilities.
func TestNoInheritableCapabilities(t *testing.T) {
	w := newWorld(t)
	for name, by := range launchers() {
		w.Part(name, func(w *harness.World) {
			for _, user := range []string{"", "nobody", "1234:5678"} {
				id := w.Run(harness.Spec{Cmd: []string{"sh", "-c", "grep CapInh /proc/self/status; sleep 1000"}, Conf: func(c *container.Config, h *container.HostConfig) {
					by(h)
					c.User, h.CapAdd = user, []string{"SYS_ADMIN", "NET_RAW"}
				}})
				var run string
				w.Eventually("it speaks", func() bool { run, _ = w.Logs(id); return run != "" })
				exec, _, err := w.TryExec(id, client.ExecCreateOptions{Cmd: []string{"grep", "CapInh", "/proc/self/status"}, User: user, Privileged: true})
				for _, got := range []string{run, exec} {
					if err != nil || strings.TrimSpace(strings.TrimPrefix(got, "CapInh:")) != strings.Repeat("0", 16) {
						w.Errorf("user %q: %q, %v", user, got, err)
					}
				}
				w.Remove(id)
			}
		})
	}
}

// CVE-2019-19921, CVE-2023-27561, CVE-2026-41579: images and mounts that put something of theirs at /proc, /sys or /dev.
func TestKernelFilesCannotBeMoved(t *testing.T) {
	w := newWorld(t)
	dir, file := victim(t)
	images := map[string][]harness.File{
		"proc-link":     {harness.Symlink("proc", "/tmp")},
		"proc-relative": {harness.Symlink("proc", "../../../../tmp")},
		"proc-file":     {{Name: "proc", Body: []byte("x")}},
		"sys-link":      {harness.Symlink("sys", "/tmp")},
		"dev-link":      {harness.Symlink("dev", dir)},
		"dev-up":        {harness.Symlink("dev", strings.Repeat("../", 20)+dir[1:])},
		"pts-link":      {harness.Dir("dev/"), harness.Symlink("dev/pts", dir), harness.Symlink("dev/shm", dir), harness.Symlink("dev/mqueue", dir)},
		"etc-link":      {harness.Symlink("etc/hosts", file), harness.Symlink("etc/resolv.conf", file), harness.Symlink("etc/hostname", dir+"/new")},
	}
	base := harness.Busybox(t)
	for name, files := range images {
		w.Take(name, harness.Image(t, base, nil, harness.Layer(t, files...)))
	}
	for launcher, by := range launchers() {
		w.Part(launcher, func(w *harness.World) {
			for name := range images {
				confined(w, name, harness.Spec{Image: name, Conf: func(_ *container.Config, h *container.HostConfig) { by(h) }})
			}
			for _, dst := range []string{"/proc", "/proc/sys", "/proc/self", "/proc/self/fd", "/proc/1/../sys", "/sys", "/sys/fs/cgroup", "/dev", "/dev/pts", "/dev/shm"} {
				confined(w, "a volume at "+dst, harness.Spec{Conf: func(_ *container.Config, h *container.HostConfig) {
					by(h)
					h.Binds = []string{"moved:" + dst}
				}})
			}
		})
	}
	untouched(t, dir, file)
}

// confined starts a container, if the engine lets it, and checks that what guards the machine is in place: masked and
// read-only paths, and a /proc that is one.
func confined(w *harness.World, what string, s harness.Spec) {
	w.Helper()
	s.Cmd = []string{"sh", "-c", confinement}
	id, err := w.TryCreate(s)
	if err != nil {
		return
	}
	defer w.Remove(id)
	if err := w.TryStart(id); err != nil {
		if strings.Contains(strings.TrimSpace(err.Error()), "\n") {
			w.Errorf("%s: more than one line: %v", what, err)
		}
		return
	}
	w.Wait(id)
	if out, _ := w.Logs(id); strings.Contains(out, "BAD") {
		w.Errorf("%s: %s", what, out)
	}
}

// confinement says BAD for everything of the machine that a container could change or read. A container without /proc
// of the kernel's can do neither.
const confinement = `
[ -e /proc/self/status ] || exit 0
for f in sys/kernel/core_pattern sysrq-trigger sys/kernel/hostname sys/vm/panic_on_oom irq/default_smp_affinity; do
	( : >> /proc/$f ) 2>/dev/null && echo BAD: /proc/$f can be opened for writing
done
[ "$(head -c 4 /proc/kcore | wc -c)" = 0 ] || echo BAD: /proc/kcore can be read
[ "$(head -c 4 /proc/keys | wc -c)" = 0 ] || echo BAD: /proc/keys can be read
[ "$(head -c 4 /proc/timer_list | wc -c)" = 0 ] || echo BAD: /proc/timer_list can be read
[ -z "$(ls /proc/scsi /proc/acpi 2>/dev/null | grep -v :)" ] || echo BAD: a masked directory can be read
[ -e /sys/kernel/uevent_seqnum ] || exit 0
[ -z "$(ls /sys/firmware 2>/dev/null)" ] || echo BAD: /sys/firmware can be read
( : > /sys/kernel/uevent_helper ) 2>/dev/null && echo BAD: /sys can be written
true`
