//go:build linux

package stage

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	if os.Args[0] == Name {
		Main()
	}
	os.Exit(m.Run())
}

// child is one parked process as a test drives it.
type child struct {
	cmd  *exec.Cmd
	conn *proto.Conn
}

func park(t *testing.T, p Prepare) *child {
	t.Helper()
	return spawn(t, unix.CLONE_NEWNS|unix.CLONE_NEWPID|unix.CLONE_NEWUTS|unix.CLONE_NEWIPC, nil, p)
}

func spawn(t *testing.T, flags uintptr, with *os.File, p Prepare) *child {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("namespaces want root")
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{Name}
	cmd.Env = []string{"GOMAXPROCS=1"}
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	if err := startIn(cmd, with); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: cmd, conn: proto.NewConn(conn.(*net.UnixConn))}
	c.conn.Unix().SetDeadline(time.Now().Add(30 * time.Second))
	t.Cleanup(func() { c.conn.Close(); cmd.Process.Kill(); cmd.Wait() })
	var fds []int
	if with != nil {
		fds = append(fds, int(with.Fd()))
	}
	if err := c.conn.Send(&p, fds...); err != nil {
		t.Fatal(err)
	}
	var a Answer
	if _, err := c.conn.Recv(&a); err != nil || !a.Ready {
		t.Fatalf("not ready: %+v, error %v", a.Failure, err)
	}
	return c
}

// startIn starts a command in the pid namespace of a process, from a thread that is thrown away.
func startIn(cmd *exec.Cmd, init *os.File) error {
	if init == nil {
		return cmd.Start()
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := unix.Setns(int(init.Fd()), unix.CLONE_NEWPID)
		if err == nil {
			err = cmd.Start()
		}
		done <- err
	}()
	return <-done
}

// kernelMounts are what every container gets.
func kernelMounts() []specs.Mount {
	return []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"ro", "nosuid", "noexec", "nodev"}},
	}
}

func sysfs() specs.Mount {
	return specs.Mount{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}}
}

// world is a container to be, in a test.
type world struct {
	root  string
	spec  *specs.Spec
	stdin *os.File // /dev/null where nil
}

func newWorld(t *testing.T, args ...string) *world {
	t.Helper()
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("no busybox")
	}
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	os.MkdirAll(filepath.Join(root, "bin"), 0o755)
	b, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "bin/busybox"), b, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sh", "cat", "id", "ls", "true", "hostname", "mount", "touch", "tty", "echo", "env", "stat", "pwd"} {
		os.Symlink("busybox", filepath.Join(root, "bin", name))
	}
	caps := []string{"CAP_CHOWN", "CAP_SETUID", "CAP_SETGID", "CAP_MKNOD"}
	kernel := kernelMounts()
	mounts := append(kernel[:4:4], sysfs(), kernel[4])
	return &world{root: root, spec: &specs.Spec{
		Root: &specs.Root{}, Hostname: "berth-test", Mounts: mounts,
		Process: &specs.Process{Args: args, Cwd: "/", Env: []string{"PATH=/bin"},
			Capabilities: &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps}},
		Linux: &specs.Linux{
			MaskedPaths:   []string{"/proc/interrupts", "/proc/acpi", "/sys/firmware", "/proc/none"},
			ReadonlyPaths: []string{"/proc/sys", "/proc/irq"},
			Sysctl:        map[string]string{},
		},
	}}
}

func (w *world) bind(dst, src string, options ...string) {
	w.spec.Mounts = append(w.spec.Mounts, specs.Mount{Destination: dst, Source: src, Type: "bind", Options: append([]string{"rbind", "rprivate"}, options...)})
}

func tree(t *testing.T, dir string) *os.File {
	t.Helper()
	fd, err := unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), dir)
	t.Cleanup(func() { f.Close() })
	return f
}

// start sends the plan; it returns the output's end and the answer that stands between plan and execution.
func (w *world) start(t *testing.T) (out *os.File, c *child, failure *Failure) {
	t.Helper()
	c = park(t, Prepare{Anchor: t.TempDir(), CgroupNS: true, Mounts: kernelMounts()})
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	if w.stdin == nil {
		if w.stdin, err = os.Open("/dev/null"); err != nil {
			t.Fatal(err)
		}
	}
	defer w.stdin.Close()
	files := []*os.File{tree(t, w.root), w.stdin, in}
	plan := &Plan{ID: "test", Spec: NewSpec(w.spec, w.spec.Process), NetNS: -1, Sources: map[int]int{}, Stdio: [3]int{1, 2, 2}}
	for i, m := range w.spec.Mounts {
		if m.Type == "bind" {
			plan.Sources[i] = len(files)
			files = append(files, tree(t, m.Source))
		}
	}
	fds := make([]int, len(files))
	for i, f := range files {
		fds[i] = int(f.Fd())
	}
	if err := c.conn.Send(plan, fds...); err != nil {
		t.Fatal(err)
	}
	in.Close()
	for {
		var a Answer
		got, err := c.conn.Recv(&a)
		switch {
		case errors.Is(err, io.EOF):
			return out, c, nil
		case err != nil:
			t.Fatal(err)
		case a.Console:
			out.Close()
			return got[0], c, nil
		default:
			return out, c, a.Failure
		}
	}
}

// says runs the world and returns all that it prints, and its exit code.
func (w *world) says(t *testing.T) (string, int) {
	t.Helper()
	out, c, f := w.start(t)
	if f != nil {
		t.Fatalf("not executed: %s", f.Message)
	}
	var b bytes.Buffer
	io.Copy(&b, out) // a terminal ends with EIO
	c.cmd.Wait()
	return strings.ReplaceAll(b.String(), "\r", ""), c.cmd.ProcessState.ExitCode()
}

func sh(t *testing.T, script string, change ...func(*world)) string {
	t.Helper()
	w := newWorld(t, "sh", "-c", script)
	for _, f := range change {
		f(w)
	}
	out, code := w.says(t)
	if code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	return strings.TrimSpace(out)
}

func TestCommandRunsInItsOwnWorld(t *testing.T) {
	got := sh(t, `echo $$; hostname; ls /; cat /proc/1/comm; ls /proc/self/fd | wc -l; pwd`)
	want := "1\nberth-test\nbin\ndev\nproc\nsys\nsh\n4\n/"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestExitCodeIsTheCommands(t *testing.T) {
	if _, code := newWorld(t, "sh", "-c", "exit 7").says(t); code != 7 {
		t.Errorf("exit code %d", code)
	}
}

func TestConfinement(t *testing.T) {
	for name, tc := range map[string]struct{ script, want string }{
		"masked file is empty":          {"cat /proc/interrupts | wc -c", "0"},
		"masked directory is empty":     {"ls -A /sys/firmware | wc -l", "0"},
		"proc/sys is read-only":         {"echo 1 2>/dev/null > /proc/sys/vm/drop_caches || echo no", "no"},
		"sys is read-only":              {"touch /sys/x 2>/dev/null || echo no", "no"},
		"cgroups are read-only":         {"mkdir /sys/fs/cgroup/x 2>/dev/null || echo no", "no"},
		"devices":                       {"ls /dev | tr '\\n' ' '", "core fd full mqueue null ptmx pts random stderr stdin stdout tty urandom zero"},
		"no inheritable capabilities":   {"cat /proc/self/status | grep -E 'Cap(Inh|Amb)' | tr -d '\\t\\n'", "CapInh:0000000000000000CapAmb:0000000000000000"},
		"capabilities are the given":    {"grep CapBnd /proc/self/status | tr -d '\\t'", "CapBnd:00000000080000c1"},
		"the machine's mounts are gone": {"grep -c -v -E ' (/|/proc|/dev|/sys)' /proc/self/mountinfo; true", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := sh(t, tc.script); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestUserAndGroups(t *testing.T) {
	got := sh(t, "id -u; id -g; id -G; grep CapEff /proc/self/status | tr -d '\\t'", func(w *world) {
		w.spec.Process.User = specs.User{UID: 1000, GID: 50, AdditionalGids: []uint32{50, 60}}
		w.spec.Process.Capabilities.Effective, w.spec.Process.Capabilities.Permitted = nil, nil
	})
	if got != "1000\n50\n50 60\nCapEff:0000000000000000" {
		t.Errorf("got %q", got)
	}
}

func TestBindMounts(t *testing.T) {
	dir := t.TempDir()
	os.Chmod(dir, 0o755)
	os.WriteFile(filepath.Join(dir, "f"), []byte("content"), 0o644)
	got := sh(t, "cat /data/deep/f; echo; touch /data/deep/new && echo written; cat /etc/one; touch /ro/x 2>/dev/null || echo no", func(w *world) {
		w.bind("/data/deep", dir)
		w.bind("/etc/one", filepath.Join(dir, "f"))
		w.bind("/ro", dir, "ro", "rro")
	})
	if got != "content\nwritten\ncontentno" {
		t.Errorf("got %q", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "new")); err != nil {
		t.Error("a write does not reach the source")
	}
}

func TestReadOnlyRoot(t *testing.T) {
	got := sh(t, "touch /x 2>/dev/null || echo no; touch /dev/shm-ok && echo yes", func(w *world) { w.spec.Root.Readonly = true })
	if got != "no\nyes" {
		t.Errorf("got %q", got)
	}
}

func TestTerminal(t *testing.T) {
	got := sh(t, "tty; test -t 0 && test -t 1 && echo terminal; echo x > /dev/console; echo y > /dev/tty; stat -c %t /dev/console", func(w *world) {
		w.spec.Process.Terminal = true
		w.spec.Process.ConsoleSize = &specs.Box{Height: 33, Width: 99}
	})
	if got != "/dev/pts/0\nterminal\nx\ny\n88" {
		t.Errorf("got %q", got)
	}
}

func TestLimitsAndUmask(t *testing.T) {
	mask := uint32(0o77)
	got := sh(t, "ulimit -n; umask; cat /proc/self/oom_score_adj", func(w *world) {
		adj := 100
		w.spec.Process.OOMScoreAdj = &adj
		w.spec.Process.User.Umask = &mask
		w.spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 123, Hard: 456}}
	})
	if got != "123\n0077\n100" {
		t.Errorf("got %q", got)
	}
}

func TestTheWorkingDirectoryIsMade(t *testing.T) {
	got := sh(t, "pwd; stat -c %u:%a .", func(w *world) { w.spec.Process.Cwd = "/new/place" })
	if got != "/new/place\n0:755" {
		t.Errorf("got %q", got)
	}
}

func TestWhatCannotBeExecuted(t *testing.T) {
	for name, tc := range map[string]struct {
		args   []string
		change func(*world)
		exec   bool
		errno  syscall.Errno
		text   string
	}{
		"not in PATH":  {args: []string{"nothing"}, exec: true, errno: unix.ENOENT, text: `exec: "nothing": executable file not found in $PATH`},
		"no such file": {args: []string{"/nothing"}, exec: true, errno: unix.ENOENT, text: "no such file or directory"},
		"a directory":  {args: []string{"/bin"}, exec: true, errno: unix.EISDIR, text: "is a directory"},
		"not executable": {args: []string{"/plain"}, exec: true, errno: unix.EACCES, text: "permission denied",
			change: func(w *world) { os.WriteFile(filepath.Join(w.root, "plain"), []byte("x"), 0o644) }},
		"not a program": {args: []string{"/junk"}, exec: true, errno: unix.ENOEXEC, text: "exec format error",
			change: func(w *world) { os.WriteFile(filepath.Join(w.root, "junk"), []byte("junk"), 0o755) }},
		"not a directory": {args: []string{"true"}, errno: unix.ENOTDIR, text: "chdir to cwd",
			change: func(w *world) { w.spec.Process.Cwd = "/bin/sh" }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tc.args...)
			if tc.change != nil {
				tc.change(w)
			}
			_, c, f := w.start(t)
			if f == nil {
				t.Fatal("was executed")
			}
			if f.Exec != tc.exec || syscall.Errno(f.Errno) != tc.errno || !strings.Contains(f.Message, tc.text) {
				t.Errorf("failure %+v", f)
			}
			c.cmd.Wait()
		})
	}
}

func TestAnotherProcessJoins(t *testing.T) {
	w := newWorld(t, "sh", "-c", "echo up; read x")
	stdin, hold, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Close()
	w.stdin = stdin
	out, first, f := w.start(t)
	if f != nil {
		t.Fatal(f.Message)
	}
	if _, err := io.ReadFull(out, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	pidfd, err := unix.PidfdOpen(first.cmd.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	init := os.NewFile(uintptr(pidfd), "init")
	defer init.Close()

	c := spawn(t, 0, init, Prepare{Join: true})
	r, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	visitor := newWorld(t, "sh", "-c", "hostname; cat /proc/1/comm; ls /; grep CapBnd /proc/self/status | tr -d '\\t'; ls /proc/self/fd | wc -l").spec
	plan := &Plan{ID: "test", Spec: NewSpec(visitor, visitor.Process), NetNS: -1, Stdio: [3]int{0, 1, 1}}
	null, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if err := c.conn.Send(plan, int(null.Fd()), int(in.Fd())); err != nil {
		t.Fatal(err)
	}
	in.Close()
	var a Answer
	if _, err := c.conn.Recv(&a); !errors.Is(err, io.EOF) {
		t.Fatalf("%+v, error %v", a.Failure, err)
	}
	got, _ := io.ReadAll(r)
	if want := "berth-test\nsh\nbin\ndev\nproc\nsys\nCapBnd:00000000080000c1\n4\n"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
