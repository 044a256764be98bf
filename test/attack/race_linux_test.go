package attack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"
)

// rounds is how many containers are started against each racing one.
func rounds() int {
	if os.Getenv("BERTH_LONG") != "" {
		return 200
	}
	return 3
}

// racer is a container that exchanges two names in a volume until it is removed.
func racer(w *harness.World, prepare, a, b string) string {
	w.Helper()
	id := w.Run(harness.Spec{Image: "evil", Cmd: []string{"sh", "-c", prepare + "; exec /probe swap " + a + " " + b}, Conf: func(_ *container.Config, h *container.HostConfig) {
		h.Binds = []string{"shared:/v"}
		h.CapAdd = []string{"MKNOD"}
	}})
	w.Eventually("names are being swapped", func() bool { out, _ := w.Logs(id); return strings.Contains(out, "swapping") })
	return id
}

// stopRacer ends it and gives the volume away, so that the next begins with an empty one.
func stopRacer(w *harness.World, id string) {
	w.Helper()
	w.Remove(id)
	_, err := w.API.VolumeRemove(w.Ctx(), "shared", client.VolumeRemoveOptions{})
	w.Must(err)
}

// CVE-2025-31133, CVE-2025-52565, CVE-2025-52881: what the start of a container opens, masks or puts over is swapped
// for a link meanwhile. Either it does not start, or it is confined as ever.
func TestSwappedKernelFiles(t *testing.T) {
	w := newWorld(t)
	before := corePattern(t)
	for what, race := range map[string]struct{ prepare, a, b, at string }{
		"null":      {"mkdir -p /v/pts /v/shm /v/mqueue; mknod /v/null c 1 3; ln -s /proc/sys/kernel/core_pattern /v/swap", "/v/null", "/v/swap", "/dev"},
		"console":   {"mkdir -p /v/pts /v/shm /v/mqueue; touch /v/console; ln -s /proc/sys/kernel/core_pattern /v/swap", "/v/console", "/v/swap", "/dev"},
		"pts":       {"mkdir -p /v/pts /v/shm /v/mqueue; ln -s /proc/sys/kernel /v/swap", "/v/pts", "/v/swap", "/dev"},
		"ptmx":      {"mkdir -p /v/pts /v/shm /v/mqueue; touch /v/ptmx; ln -s /proc/sysrq-trigger /v/swap", "/v/ptmx", "/v/swap", "/dev"},
		"proc":      {"mkdir -p /v/proc; ln -s /tmp /v/swap", "/v/proc", "/v/swap", "/v"},
		"firmware":  {"mkdir -p /v/firmware /v/fs/cgroup; ln -s /proc /v/swap", "/v/firmware", "/v/swap", "/sys"},
		"cgroup":    {"mkdir -p /v/fs/cgroup; ln -s /proc/sys /v/swap", "/v/fs/cgroup", "/v/swap", "/sys"},
		"sysctl fd": {"mkdir -p /v/proc/self/attr /v/proc/sys/net/ipv4; ln -s /proc/sys /v/swap", "/v/proc/sys", "/v/swap", "/v"},
	} {
		w.Part(what, func(w *harness.World) {
			id := racer(w, race.prepare, race.a, race.b)
			defer stopRacer(w, id)
			for launcher, by := range launchers() {
				for i := range rounds() {
					confined(w, what+" by "+launcher, harness.Spec{Conf: func(c *container.Config, h *container.HostConfig) {
						by(h)
						c.Tty = i%2 == 0
						h.Binds = []string{"shared:" + race.at}
						h.Sysctls = map[string]string{"net.ipv4.ip_unprivileged_port_start": "0"}
					}})
				}
			}
		})
	}
	if after := corePattern(t); after != before {
		t.Errorf("core_pattern is now %q, was %q", after, before)
	}
}

func corePattern(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// CVE-2021-30465, CVE-2024-45310: the place of a mount is swapped for a link to the machine's files while it is made.
// Nothing appears there, and nothing of it is seen.
func TestSwappedMountTargets(t *testing.T) {
	w := newWorld(t)
	dir, file := victim(t)
	up := strings.Repeat("../", 20)
	for what, to := range map[string]string{"absolute": dir, "relative": up + dir[1:], "root": "/"} {
		w.Part(what, func(w *harness.World) {
			id := racer(w, "mkdir -p /v/a; ln -s "+to+" /v/swap", "/v/a", "/v/swap")
			defer stopRacer(w, id)
			for _, by := range launchers() {
				for range rounds() {
					raced(w, by, dir)
				}
			}
		})
	}
	untouched(t, dir, file)
	if b, err := os.ReadFile("/proc/self/mountinfo"); err != nil || strings.Contains(string(b), dir+" ") || strings.Contains(string(b), dir+"/new") {
		t.Errorf("something is mounted in %s now (%v)", dir, err)
	}
}

// raced starts a container with mounts below the racing name, and looks for the victim's file from inside.
func raced(w *harness.World, by func(*container.HostConfig), dir string) {
	w.Helper()
	look := "cat /v/a/secret /v/swap/secret /v/a/new/secret " + dir + "/secret 2>/dev/null; true"
	id, err := w.TryCreate(harness.Spec{Cmd: []string{"sh", "-c", look}, Conf: func(_ *container.Config, h *container.HostConfig) {
		by(h)
		h.Binds = []string{"shared:/v", "other:/v/a/new"}
		h.Tmpfs = map[string]string{"/v/a/new/tmp": ""}
		h.Mounts = []mount.Mount{{Type: mount.TypeTmpfs, Target: "/v/swap/new2/deep"}}
	}})
	if err != nil {
		w.Fatal(err)
	}
	defer w.Remove(id)
	if w.TryStart(id) != nil {
		return
	}
	w.Wait(id)
	if out, _ := w.Logs(id); strings.Contains(out, secret) {
		w.Errorf("a container reads the machine's files: %q", out)
	}
}

// A subpath of a volume is swapped for a link out of the volume while containers that mount it start.
func TestSwappedSubpath(t *testing.T) {
	w := newWorld(t)
	dir, file := victim(t)
	id := racer(w, "mkdir -p /v/sub; ln -s "+dir+" /v/swap; ln -s "+filepath.Dir(dir)+" /v/fixed", "/v/sub", "/v/swap")
	for _, sub := range []string{"sub", "swap", "fixed/" + filepath.Base(dir)} {
		for range rounds() {
			c, err := w.TryCreate(harness.Spec{Cmd: []string{"sh", "-c", "cat /m/secret 2>/dev/null; touch /m/new 2>/dev/null; true"}, Conf: func(_ *container.Config, h *container.HostConfig) {
				h.Mounts = []mount.Mount{{Type: mount.TypeVolume, Source: "shared", Target: "/m", VolumeOptions: &mount.VolumeOptions{Subpath: sub}}}
			}})
			if err != nil {
				continue
			}
			if w.TryStart(c) == nil {
				w.Wait(c)
				if out, _ := w.Logs(c); strings.Contains(out, secret) {
					t.Errorf("subpath %s reads the machine's files: %q", sub, out)
				}
			}
			w.Remove(c)
		}
	}
	stopRacer(w, id)
	untouched(t, dir, file)
}
