package stories

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"
)

// oneLine fails where an error is not one line that says what is wanted.
func oneLine(w *harness.World, what string, err error, want string) {
	w.Helper()
	if err == nil {
		w.Errorf("%s succeeded", what)
		return
	}
	if text := strings.TrimSpace(err.Error()); strings.Contains(text, "\n") || !strings.Contains(text, want) || len(text) > 500 {
		w.Errorf("%s: %q does not say %q in one line", what, text, want)
	}
}

// disk mounts a small file system of its own and gives its directory.
func disk(t *testing.T, megabytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=755", megabytes)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("the disk is still in use: %v", err)
			unix.Unmount(dir, unix.MNT_DETACH)
		}
	})
	return dir
}

// used is how many bytes of a file system are.
func used(t *testing.T, dir string) int64 {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	return int64(st.Blocks-st.Bfree) * st.Bsize
}

// noise does not compress.
func noise(t *testing.T, size int) []byte {
	t.Helper()
	b := make([]byte, size)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

// fill takes all that is free of a disk and gives the file that does.
func fill(t *testing.T, dir string) string {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 4
		}
	}
	return name
}

func TestDiskFull(t *testing.T) {
	dir := disk(t, 80)
	w := harness.NewAt(t, filepath.Join(dir, "state"))
	before := used(t, dir)
	big := w.Registry.Push(t, "big:latest", harness.Image(t, nil, nil,
		harness.Layer(t, harness.File{Name: "a", Body: noise(t, 8<<20)}), harness.Layer(t, harness.File{Name: "b", Body: make([]byte, 72<<20)})))
	oneLine(w, "pulling what does not fit", w.Pull(big), "no space left on device")
	w.Eventually("what was pulled of it is gone", func() bool {
		w.API.ImagePrune(w.Ctx(), client.ImagePruneOptions{})
		return used(t, dir) < before+10<<20 // whole layers are kept for the next try
	})
	list, err := w.API.ImageList(w.Ctx(), client.ImageListOptions{})
	w.Must(err)
	for _, i := range list.Items {
		for _, tag := range i.RepoTags {
			if strings.Contains(tag, "big") {
				t.Errorf("it is an image now: %+v", i)
			}
		}
	}
	id := w.Run(harness.Spec{Name: "writer", Cmd: []string{"sh", "-c", "while :; do echo line; usleep 10000; done"}})
	filler := fill(t, dir)
	_, err = w.TryCreate(harness.Spec{Name: "nowhere"})
	oneLine(w, "creating a container", err, "no space left on device")
	_, err = w.API.VolumeCreate(w.Ctx(), client.VolumeCreateOptions{Name: "nowhere"})
	if err != nil {
		oneLine(w, "creating a volume", err, "no space left on device")
	}
	time.Sleep(200 * time.Millisecond) // in which its log cannot grow
	if st := w.Inspect(id).State; !st.Running || unix.Kill(st.Pid, 0) != nil {
		t.Errorf("a container whose log cannot grow: %+v", st)
	}
	if out, code := w.Exec(id, "sh", "-c", "echo x > /full 2>/dev/null; echo on"); code != 0 || out != "on\n" {
		t.Errorf("exec on a full disk: %q, %d", out, code)
	}
	w.Must(os.Remove(filler))
	w.Remove(id)
	if out := w.Output(harness.Spec{Name: "nowhere", Cmd: []string{"echo", "again"}}); out != "again\n" {
		t.Errorf("with room again: %q", out)
	}
}

// refuses starts an engine that must end with one line and perhaps a hint.
func refuses(t *testing.T, root, want string) {
	t.Helper()
	cmd := harness.Engine(root)
	said, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || len(lines) > 2 || !strings.Contains(lines[0], want) || !strings.HasPrefix(lines[0], "berth-engine: ") {
		t.Errorf("%v, %q does not say %q", err, said, want)
	}
}

func TestDiskIsReadOnly(t *testing.T) {
	dir := disk(t, 16)
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	refuses(t, filepath.Join(dir, "state"), "read-only file system")
}

func TestDiskIsFullFromTheStart(t *testing.T) {
	dir := disk(t, 1)
	fill(t, dir)
	refuses(t, filepath.Join(dir, "state"), "no space left on device")
}

func TestSecondEngine(t *testing.T) {
	w := harness.New(t)
	id := w.Run(harness.Spec{Cmd: []string{"sleep", "1000"}})
	refuses(t, w.Layout.Root, fmt.Sprintf("(pid %d)", w.Pid()))
	if out, code := w.Exec(id, "echo", "on"); out != "on\n" || code != 0 {
		t.Errorf("the first engine: %q, %d", out, code)
	}
}

func TestControllersAreMissing(t *testing.T) {
	const memory = "/sys/fs/cgroup/memory"
	var st unix.Statfs_t
	if unix.Statfs(memory, &st) != nil || st.Type != unix.CGROUP_SUPER_MAGIC {
		t.Skip("cgroup v1 has no memory controller on this machine")
	}
	if err := unix.Mount("tmpfs", memory, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(memory, unix.MNT_DETACH) })
	w := harness.New(t)
	if out := w.Output(harness.Spec{Cmd: []string{"echo", "runs"}}); out != "runs\n" {
		t.Errorf("without limits: %q", out)
	}
	res, err := w.API.ContainerCreate(w.Ctx(), client.ContainerCreateOptions{
		Config: &container.Config{Image: "bb", Cmd: []string{"true"}}, HostConfig: &container.HostConfig{Resources: container.Resources{Memory: 64 << 20}},
	})
	w.Must(err)
	if len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "does not support memory limit capabilities") {
		t.Errorf("a memory limit: %q", res.Warnings)
	}
	w.Begin(res.ID)
	if code := w.Wait(res.ID); code != 0 {
		t.Errorf("exit code %d", code)
	}
	info, err := w.API.Info(w.Ctx(), client.InfoOptions{})
	w.Must(err)
	if info.Info.MemoryLimit || !info.Info.PidsLimit {
		t.Errorf("info: memory %v, pids %v", info.Info.MemoryLimit, info.Info.PidsLimit)
	}
}
