//go:build linux

package e2e

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"golang.org/x/sys/unix"
)

const inside = "BERTH_E2E_INSIDE"

// programs is where TestMain built the programs.
const programs = "BERTH_E2E_PROGRAMS"

// TestMain builds the programs and runs the tests as a child in namespaces of their own.
func TestMain(m *testing.M) {
	if os.Getenv(inside) != "" {
		if err := prepareNamespaces(); err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	os.Exit(outer())
}

func outer() int {
	if os.Geteuid() != 0 {
		fmt.Println("e2e: skipped: containers want root")
		return 0
	}
	bin, err := os.MkdirTemp("", "berth-e2e-bin")
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer os.RemoveAll(bin)
	if err := build(bin); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1", programs+"="+bin)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	return 0
}

func build(bin string) error {
	for _, p := range []string{"berth", "berth-engine", "berth-netd", "berth-init", "berth-supervisor"} {
		args := []string{"build", "-buildvcs=false", "-o", filepath.Join(bin, p)}
		cgo := "0"
		if p == "berth-supervisor" {
			cgo = "1"
			args = append(args, "-tags", "netgo osusergo seccomp", "-ldflags", "-extldflags -static")
		}
		cmd := exec.Command("go", append(args, "../../cmd/"+p)...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w\n%s", p, err, out)
		}
	}
	return nil
}

// prepareNamespaces makes the new namespaces fit to run an engine in.
func prepareNamespaces() error {
	script := `set -e
mount --make-rprivate /
ip link set lo up
m=$(mktemp -d); mount --rbind /sys/fs/cgroup "$m"; mount -t sysfs sysfs /sys; mount --rbind "$m" /sys/fs/cgroup; umount -l "$m"; rmdir "$m"
mount -t tmpfs tmpfs /run; mkdir -p /run/lock`
	out, err := exec.Command("/bin/sh", "-c", script).CombinedOutput()
	if err != nil {
		return fmt.Errorf("preparing namespaces: %w: %s", err, out)
	}
	return nil
}

// world is one engine with a state directory and a registry of its own.
type world struct {
	t        *testing.T
	root     string
	registry string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	if os.Getenv(inside) == "" {
		t.Skip("outside of the namespaces")
	}
	root, err := os.MkdirTemp(stateDir(), "berth-e2e")
	if err != nil {
		t.Fatal(err)
	}
	reg := httptest.NewServer(registry.New(registry.Logger(discard())))
	w := &world{t: t, root: root, registry: strings.TrimPrefix(reg.URL, "http://")}
	t.Setenv("DOCKER_CONFIG", filepath.Join(root, "docker"))
	t.Cleanup(func() {
		w.stop()
		reg.Close()
		w.nothingLeft()
		os.RemoveAll(root)
	})
	w.push("busybox")
	return w
}

// stateDir is a directory on a disk that can hold the upper layers of overlays.
func stateDir() string {
	if d := os.Getenv("BERTH_E2E_STATE"); d != "" {
		return d
	}
	return "/var/tmp"
}

func (w *world) image(ref string) string { return w.registry + "/" + ref }

// push puts an image with busybox into the registry.
func (w *world) push(ref string) {
	w.t.Helper()
	path, err := exec.LookPath("busybox")
	if err != nil {
		w.t.Skip("no busybox")
	}
	bin, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	names, err := exec.Command(path, "--list").Output()
	if err != nil {
		w.t.Fatal(err)
	}
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	dir := func(n string, mode int64) {
		tw.WriteHeader(&tar.Header{Name: n, Typeflag: tar.TypeDir, Mode: mode})
	}
	file := func(n, content string, mode int64) {
		tw.WriteHeader(&tar.Header{Name: n, Typeflag: tar.TypeReg, Mode: mode, Size: int64(len(content))})
		io.WriteString(tw, content)
	}
	for _, d := range []string{"bin", "etc", "root", "data"} {
		dir(d, 0o755)
	}
	dir("tmp", 0o1777)
	file("bin/busybox", string(bin), 0o755)
	for _, n := range strings.Fields(string(names)) {
		if n != "busybox" {
			tw.WriteHeader(&tar.Header{Name: "bin/" + n, Typeflag: tar.TypeLink, Linkname: "bin/busybox", Mode: 0o755})
		}
	}
	file("etc/passwd", "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n", 0o644)
	file("etc/group", "root:x:0:\n", 0o644)
	file("data/seed", "from the image\n", 0o644)
	tw.Close()
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	if err != nil {
		w.t.Fatal(err)
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err == nil {
		img, err = mutate.Config(img, v1.Config{Env: []string{"PATH=/bin"}, Cmd: []string{"sh"}})
	}
	var tag name.Tag
	if err == nil {
		tag, err = name.NewTag(w.image(ref) + ":latest")
	}
	if err == nil {
		cfg, _ := img.ConfigFile()
		cfg = cfg.DeepCopy()
		cfg.OS, cfg.Architecture = "linux", "amd64"
		img, err = mutate.ConfigFile(img, cfg)
	}
	if err == nil {
		err = remote.Write(tag, img)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// command is the berth program with this world's engine.
func (w *world) command(args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	w.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, filepath.Join(os.Getenv(programs), "berth"), args...)
	cmd.Env = append(os.Environ(), "BERTH_ROOT="+w.root, "BERTH_HOST=", "DOCKER_HOST=")
	return cmd
}

// try runs berth and gives its exit code and what it said.
func (w *world) try(stdin string, args ...string) (code int, out, errs string) {
	w.t.Helper()
	cmd := w.command(args...)
	var o, e bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &o, &e
	err := cmd.Run()
	if cmd.ProcessState == nil {
		w.t.Fatalf("berth %v: %v", args, err)
	}
	return cmd.ProcessState.ExitCode(), o.String(), e.String()
}

// berth runs a command that must succeed and gives its output without the last newline.
func (w *world) berth(args ...string) string {
	w.t.Helper()
	code, out, errs := w.try("", args...)
	if code != 0 {
		w.t.Fatalf("berth %v: exit code %d: %s%s", args, code, out, errs)
	}
	return strings.TrimSuffix(out, "\n")
}

// enginePid reads the engine's pid from the lock of its state directory.
func (w *world) enginePid() int {
	b, err := os.ReadFile(filepath.Join(w.root, "engine.lock"))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return pid
}

// stop ends all programs of this world, by pid.
func (w *world) stop() {
	if code, ids, _ := w.try("", "ps", "-aq"); code == 0 {
		for _, id := range strings.Fields(ids) {
			w.try("", "rm", "-f", "-v", id)
		}
	}
	if pid := w.enginePid(); pid > 1 {
		syscall.Kill(pid, syscall.SIGTERM)
		waitGone(pid)
	}
	for _, pid := range w.companions() {
		syscall.Kill(pid, syscall.SIGTERM)
	}
	for _, pid := range w.companions() {
		if !waitGone(pid) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// companions are the processes that name this world's state directory.
func (w *world) companions() (pids []int) {
	list, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range list {
		b, err := os.ReadFile(f)
		if err != nil || !strings.Contains(string(b), w.root) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f))); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

func waitGone(pid int) bool {
	for range 200 {
		if syscall.Kill(pid, 0) != nil {
			return true
		}
		time.Sleep(25 * time.Millisecond)
	}
	return false
}

// nothingLeft checks that no mount and no process of this world is left.
func (w *world) nothingLeft() {
	b, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, w.root) {
			w.t.Errorf("a mount is left: %s", line)
		}
	}
	for _, pid := range w.companions() {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		w.t.Errorf("process %d is left: %q", pid, b)
	}
}

// eventually waits until a condition holds.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if ok() {
			return
		}
	}
	w.t.Fatalf("%s did not come true", what)
}
