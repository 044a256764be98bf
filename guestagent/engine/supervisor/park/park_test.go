//go:build linux

package park

import (
	"errors"
	"github.com/berthhq/berth/guestagent/engine/detached"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/guestagent/engine/supervisor/stage"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	if os.Args[0] == stage.Name {
		stage.Main()
	}
	os.Exit(m.Run())
}

// counted is a cgroup that only counts how many of its kind there are.
type counted struct{ n *atomic.Int32 }

func (counted) Place() (Place, error) { return Place{}, nil }
func (c counted) Destroy() error      { c.n.Add(-1); return nil }

func kernel() []specs.Mount {
	return []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
	}
}

func newPool(t testing.TB, size int) (*Pool, *atomic.Int32) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("namespaces want root")
	}
	program, err := Seal("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Int32
	p := NewPool(Config{Program: program, Anchor: t.TempDir(), Size: size, Mounts: kernel(), NewCgroup: func() (Cgroup, error) {
		n.Add(1)
		return counted{&n}, nil
	}})
	t.Cleanup(func() {
		p.Close()
		program.Close()
		if left := n.Load(); left != 0 {
			t.Errorf("%d cgroups are left", left)
		}
	})
	return p, &n
}

// rootfs is an overlay over a directory with busybox in it.
func rootfs(t testing.TB) []proto.Mount {
	t.Helper()
	path, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("no busybox")
	}
	dir := t.TempDir()
	for _, d := range []string{"lower/bin", "upper", "work"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sh", "true"} {
		if err := os.WriteFile(filepath.Join(dir, "lower/bin", name), b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return []proto.Mount{{Type: "overlay", Source: "overlay", Options: []string{
		"lowerdir=" + dir + "/lower", "upperdir=" + dir + "/upper", "workdir=" + dir + "/work",
	}}}
}

func become(t testing.TB, s *Slot, mounts []proto.Mount, args ...string) (out *os.File, err error) {
	t.Helper()
	root, err := detached.Root(mounts)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
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
	_, err = s.Become(&stage.Plan{
		ID: "x", NetNS: -1, Stdio: [3]int{1, 2, 2},
		Spec: &stage.Spec{Mounts: kernel(), Process: &specs.Process{Args: args, Cwd: "/", Env: []string{"PATH=/bin"}}},
	}, []*os.File{root, null, in})
	return out, err
}

func TestParkedProcessBecomesAContainer(t *testing.T) {
	p, _ := newPool(t, 2)
	mounts := rootfs(t)
	for i := range 5 {
		s, err := p.Take()
		if err != nil {
			t.Fatal(err)
		}
		out, err := become(t, s, mounts, "sh", "-c", "echo container; exit "+strconv.Itoa(i))
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(out)
		out.Close()
		st, err := s.Process.Wait()
		if err != nil || string(got) != "container\n" || st.ExitCode() != i {
			t.Errorf("said %q, exit code %d, error %v", got, st.ExitCode(), err)
		}
		s.Cgroup.Destroy()
	}
	m, _ := os.ReadFile("/proc/self/mountinfo")
	if strings.Contains(string(m), t.TempDir()) {
		t.Error("a mount is left")
	}
}

func TestFailureIsTheStages(t *testing.T) {
	p, _ := newPool(t, 0)
	s, err := p.Take()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Discard()
	_, err = become(t, s, rootfs(t), "missing")
	var f *stage.Failure
	if !errors.As(err, &f) || !f.Exec || f.Errno != int(unix.ENOENT) {
		t.Errorf("error %v", err)
	}
}

func TestClosedPoolLeavesNoProcess(t *testing.T) {
	_, n := newPool(t, 3)
	deadline := time.Now().Add(20 * time.Second)
	for n.Load() < 3 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if n.Load() != 3 {
		t.Fatalf("%d processes are parked", n.Load())
	}
}

func TestSealedProgramCannotChange(t *testing.T) {
	f, err := Seal("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("x"), 0); err == nil {
		t.Error("the program can be written")
	}
	again, err := os.OpenFile("/proc/self/fd/"+strconv.Itoa(int(f.Fd())), os.O_RDWR, 0)
	if err == nil {
		_, err = again.WriteAt([]byte("x"), 0)
		again.Close()
	}
	if err == nil {
		t.Error("the program can be written through another handle")
	}
	if err := f.Truncate(0); err == nil {
		t.Error("the program can be cut")
	}
}

func TestRootsThatCannotBeDetached(t *testing.T) {
	for name, mounts := range map[string][]proto.Mount{
		"none": nil, "two": {{Type: "bind"}, {Type: "bind"}}, "another kind": {{Type: "erofs", Source: "/x"}},
	} {
		if _, err := detached.Root(mounts); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a start costs when a process is parked, to its command's exit.
func BenchmarkParkedStart(b *testing.B) {
	p, _ := newPool(b, 4)
	mounts := rootfs(b)
	for b.Loop() {
		b.StopTimer()
		time.Sleep(40 * time.Millisecond) // as between two commands of a person: the pool is full again
		b.StartTimer()
		s, err := p.Take()
		if err != nil {
			b.Fatal(err)
		}
		out, err := become(b, s, mounts, "true")
		if err != nil {
			b.Fatal(err)
		}
		s.Process.Wait()
		b.StopTimer()
		out.Close()
		s.Cgroup.Destroy()
		b.StartTimer()
	}
}
