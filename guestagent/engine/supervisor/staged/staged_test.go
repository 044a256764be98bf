//go:build linux && cgo && seccomp

package staged

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/guestagent/engine/supervisor/stage"
	"github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	if os.Args[0] == stage.Name {
		stage.Main()
	}
	os.Exit(m.Run())
}

func launcher(t testing.TB) *Launcher {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("containers want root")
	}
	l, err := New(Config{Program: "/proc/self/exe", Anchor: t.TempDir(), Cgroup: "/berth-staged-test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close()
		left, _ := filepath.Glob("/sys/fs/cgroup/*/berth-staged-test/*/cgroup.procs")
		for _, f := range left {
			t.Errorf("%s is left", f)
		}
		parents, _ := filepath.Glob("/sys/fs/cgroup/*/berth-staged-test")
		for _, dir := range parents {
			os.Remove(dir)
		}
	})
	return l
}

func startOf(t testing.TB, args ...string) *proto.Start {
	t.Helper()
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("no busybox")
	}
	dir := t.TempDir()
	for _, d := range []string{"lower/bin", "lower/etc", "upper", "work"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(dir, "lower/bin/sh"), b, 0o755)
	os.WriteFile(filepath.Join(dir, "lower/bin/true"), b, 0o755)
	os.WriteFile(filepath.Join(dir, "lower/etc/passwd"), []byte("root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n"), 0o644)
	caps := []string{"CAP_CHOWN", "CAP_KILL", "CAP_MKNOD"}
	one, three := int64(1), int64(3)
	s := &specs.Spec{
		Root: &specs.Root{}, Hostname: "staged",
		Process: &specs.Process{Args: args, Cwd: "/", Env: []string{"PATH=/bin"},
			Capabilities: &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps}},
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
			{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
			{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
			{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"ro", "nosuid", "noexec", "nodev"}},
		},
		Linux: &specs.Linux{
			Namespaces: []specs.LinuxNamespace{{Type: specs.MountNamespace}, {Type: specs.PIDNamespace}, {Type: specs.IPCNamespace}, {Type: specs.UTSNamespace}},
			Resources: &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{
				{Allow: false, Access: "rwm"},
				{Allow: true, Type: "c", Major: &one, Minor: &three, Access: "rwm"},
			}},
		},
	}
	if s.Linux.Seccomp, err = seccomp.GetDefaultProfile(s); err != nil {
		t.Fatal(err)
	}
	return &proto.Start{Spec: s, Rootfs: []proto.Mount{{Type: "overlay", Source: "overlay", Options: []string{
		"lowerdir=" + dir + "/lower", "upperdir=" + dir + "/upper", "workdir=" + dir + "/work"}}}}
}

// running is a container whose output a test reads.
type running struct {
	*Container
	Process *os.Process
	out     *os.File
}

func start(t testing.TB, l *Launcher, s *proto.Start) (*running, error) {
	t.Helper()
	if !Supports(s) {
		t.Fatal("is not supported")
	}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	c, p, _, err := l.Start("x", s, [3]*os.File{null, in, in})
	if err != nil {
		out.Close()
		return nil, err
	}
	return &running{c, p, out}, nil
}

// end waits for the container and returns what it printed.
func (r *running) end(t testing.TB) (string, int) {
	t.Helper()
	b, _ := io.ReadAll(r.out)
	r.out.Close()
	st, err := r.Process.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Destroy(); err != nil {
		t.Error(err)
	}
	return strings.TrimSpace(string(b)), st.ExitCode()
}

func says(t testing.TB, l *Launcher, s *proto.Start) (string, int) {
	t.Helper()
	r, err := start(t, l, s)
	if err != nil {
		t.Fatal(err)
	}
	return r.end(t)
}

func TestContainerRuns(t *testing.T) {
	l := launcher(t)
	for range 3 {
		got, code := says(t, l, startOf(t, "sh", "-c", "id -u; echo $HOME; hostname; exit 5"))
		if got != "0\n/root\nstaged" || code != 5 {
			t.Errorf("said %q, exit code %d", got, code)
		}
	}
}

func TestUserOfTheImage(t *testing.T) {
	l := launcher(t)
	s := startOf(t, "sh", "-c", "id -u; echo $HOME; grep CapEff /proc/self/status | tr -d '\\t'")
	s.User = "app"
	if got, _ := says(t, l, s); got != "1000\n/home/app\nCapEff:0000000000000000" {
		t.Errorf("said %q", got)
	}
	s = startOf(t, "true")
	s.User = "nobody-here"
	if _, err := start(t, l, s); err == nil || !strings.Contains(err.Error(), "unable to find user nobody-here") {
		t.Errorf("error %v", err)
	}
}

func TestLimitsAreThoseOfTheContainer(t *testing.T) {
	l := launcher(t)
	limit, pids := int64(64<<20), int64(77)
	s := startOf(t, "sh", "-c", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max")
	s.Spec.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &limit}
	s.Spec.Linux.Resources.Pids = &specs.LinuxPids{Limit: &pids}
	if got, _ := says(t, l, s); got != "67108864\n77" {
		t.Errorf("said %q", got)
	}
}

func TestDevicesAreThoseAllowed(t *testing.T) {
	got, _ := says(t, launcher(t), startOf(t, "sh", "-c", "echo x > /dev/null && echo null; mknod /mem c 1 1 && head -c 1 /mem >/dev/null 2>&1 || echo denied"))
	if got != "null\ndenied" {
		t.Errorf("said %q", got)
	}
}

func TestSeccompIsLoaded(t *testing.T) {
	got, _ := says(t, launcher(t), startOf(t, "sh", "-c", "grep -E 'Seccomp:' /proc/self/status | tr -d '\\t'; unshare -U true 2>&1 | head -c 60"))
	if !strings.HasPrefix(got, "Seccomp:2") || !strings.Contains(got, "not permitted") {
		t.Errorf("said %q", got)
	}
}

func TestAnotherProcess(t *testing.T) {
	l := launcher(t)
	c, err := start(t, l, startOf(t, "sh", "-c", "while :; do sleep 1; done"))
	if err != nil {
		t.Fatal(err)
	}
	r, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := c.Exec("e", &proto.Exec{User: "app", Process: &specs.Process{Args: []string{"sh", "-c", "id -u; hostname; grep -c . /proc/self/cgroup >/dev/null; grep Seccomp: /proc/self/status | tr -d '\\t'; exit 9"}, Cwd: "/", Env: []string{"PATH=/bin"}}},
		[3]*os.File{in, in, in})
	in.Close()
	if err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(r)
	if st, _ := p.Wait(); string(got) != "1000\nstaged\nSeccomp:2\n" || st.ExitCode() != 9 {
		t.Errorf("said %q, exit code %d", got, st.ExitCode())
	}
	_, _, err = c.Exec("e", &proto.Exec{Process: &specs.Process{Args: []string{"missing"}, Cwd: "/", Env: []string{"PATH=/bin"}}}, [3]*os.File{r, r, r})
	var f *proto.Error
	if !errors.As(err, &f) || f.Code != proto.CodeExec || f.Errno != int(unix.ENOENT) {
		t.Errorf("a missing command: %v", err)
	}
	if err := c.SignalAll(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	if _, code := c.end(t); code != -1 {
		t.Errorf("exit code %d", code)
	}
}

func TestPauseFreezes(t *testing.T) {
	l := launcher(t)
	c, err := start(t, l, startOf(t, "sh", "-c", "while :; do echo x; sleep 0.01; done"))
	if err != nil {
		t.Fatal(err)
	}
	c.out.Read(make([]byte, 2))
	if err := c.Pause(); err != nil {
		t.Fatal(err)
	}
	for c.out.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); ; {
		if _, err := c.out.Read(make([]byte, 4096)); err != nil {
			break
		}
	}
	c.out.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, _ := c.out.Read(make([]byte, 1)); n != 0 {
		t.Error("a paused container writes")
	}
	c.out.SetReadDeadline(time.Time{})
	if err := c.Resume(); err != nil {
		t.Fatal(err)
	}
	if n, err := c.out.Read(make([]byte, 1)); n != 1 {
		t.Errorf("a resumed container does not write: %v", err)
	}
	c.SignalAll(syscall.SIGKILL)
	go io.Copy(io.Discard, c.out)
	c.Process.Wait()
	c.Destroy()
}

func TestACgroupsParent(t *testing.T) {
	l := launcher(t)
	const parent = "/berth-staged-other"
	t.Cleanup(func() {
		left, _ := filepath.Glob("/sys/fs/cgroup/*" + parent)
		for _, dir := range append(left, "/sys/fs/cgroup"+parent) {
			if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is left", dir)
			}
		}
	})
	for range 2 { // the same name once more, after the first has ended
		s := startOf(t, "sh", "-c", "sleep 1000")
		s.Spec.Linux.CgroupsPath = parent + "/c1"
		c, err := start(t, l, s)
		if err != nil {
			t.Fatal(err)
		}
		list, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(c.Process.Pid), "cgroup"))
		if err != nil || !strings.Contains(string(list), ":"+parent+"/c1\n") {
			t.Errorf("cgroups %s, %v", list, err)
		}
		if got := c.CgroupPath(); !strings.HasSuffix(got, parent+"/c1") {
			t.Errorf("path %q", got)
		}
		c.SignalAll(syscall.SIGKILL)
		c.end(t)
	}
	if l.pool != nil {
		t.Error("processes are parked for a cgroup that only one container can have")
	}
}

func TestWhatIsLeftToLibcontainer(t *testing.T) {
	for name, change := range map[string]func(*proto.Start){
		"the machine's pids":        func(s *proto.Start) { s.Spec.Linux.Namespaces = s.Spec.Linux.Namespaces[:1] },
		"another's ipc":             func(s *proto.Start) { s.Spec.Linux.Namespaces[2].Path = "/proc/1/ns/ipc" },
		"a user namespace":          func(s *proto.Start) { s.Spec.Linux.UIDMappings = []specs.LinuxIDMapping{{Size: 1}} },
		"shared propagation":        func(s *proto.Start) { s.Spec.Mounts[0] = specs.Mount{Type: "bind", Options: []string{"rshared"}} },
		"a strange option":          func(s *proto.Start) { s.Spec.Mounts[0] = specs.Mount{Type: "bind", Options: []string{"idmap"}} },
		"an AppArmor profile":       func(s *proto.Start) { s.Spec.Process.ApparmorProfile = "x" },
		"the systemd cgroup driver": func(s *proto.Start) { s.Systemd = true },
	} {
		s := startOf(t, "true")
		change(s)
		if Supports(s) {
			t.Errorf("%s is taken", name)
		}
	}
}

func BenchmarkRun(b *testing.B) {
	l := launcher(b)
	s := startOf(b, "true")
	l.Warm(s.Spec)
	for b.Loop() {
		b.StopTimer()
		time.Sleep(60 * time.Millisecond)
		b.StartTimer()
		c, err := start(b, l, s)
		if err != nil {
			b.Fatal(err)
		}
		c.Process.Wait()
		b.StopTimer()
		c.out.Close()
		c.Destroy()
		b.StartTimer()
	}
}

func BenchmarkExec(b *testing.B) {
	l := launcher(b)
	c, err := start(b, l, startOf(b, "sh", "-c", "sleep 1000"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p, _, err := c.Exec("e", &proto.Exec{Process: &specs.Process{Args: []string{"true"}, Cwd: "/", Env: []string{"PATH=/bin"}}}, [3]*os.File{c.out, c.out, c.out})
		if err != nil {
			b.Fatal(err)
		}
		p.Wait()
	}
	c.SignalAll(syscall.SIGKILL)
	c.end(b)
}
