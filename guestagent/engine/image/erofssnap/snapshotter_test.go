//go:build linux

package erofssnap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/core/snapshots/testsuite"
	"github.com/moby/sys/mountinfo"
)

const envInside = "BERTH_TEST_IN_NAMESPACE"

// TestMain runs all tests in a private mount namespace, so that no mount of theirs reaches the machine.
func TestMain(m *testing.M) {
	if os.Getuid() != 0 || os.Getenv(envInside) != "" {
		os.Exit(m.Run())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), envInside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	var exit *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exit) {
		os.Exit(max(1, exit.ExitCode()))
	} else if err != nil {
		panic(err)
	}
}

// openAt opens a snapshotter, or skips the test where the machine has no EROFS.
func openAt(t *testing.T, root string) *Snapshotter {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounts need root")
	}
	s, err := Open(root)
	if errdefs.KindOf(err) == errdefs.KindNotImplemented {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestContract is containerd's contract of a snapshotter.
func TestContract(t *testing.T) {
	openAt(t, t.TempDir()).Close()
	testsuite.SnapshotterSuite(t, "erofs", func(_ context.Context, root string) (snapshots.Snapshotter, func() error, error) {
		s, err := Open(root)
		if err != nil {
			return nil, nil, err
		}
		return s, s.Close, nil
	})
}

// committed makes a snapshot of one file.
func committed(t *testing.T, s *Snapshotter, name, parent string) {
	t.Helper()
	ctx := context.Background()
	ms, err := s.Prepare(ctx, "active "+name, parent)
	if err == nil {
		err = mount.WithTempMount(ctx, ms, func(root string) error {
			return os.WriteFile(filepath.Join(root, name), []byte(name), 0o600)
		})
	}
	if err == nil {
		err = s.Commit(ctx, name, "active "+name)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func has(t *testing.T, s *Snapshotter, key string, names ...string) {
	t.Helper()
	ctx := context.Background()
	ms, err := s.View(ctx, "view "+key, key)
	if err != nil {
		t.Fatal(err)
	}
	err = mount.WithTempMount(ctx, ms, func(root string) error {
		for _, n := range names {
			if b, err := os.ReadFile(filepath.Join(root, n)); err != nil || string(b) != n {
				t.Errorf("%s in %s: %q, %v", n, key, b, err)
			}
		}
		return nil
	})
	if err == nil {
		err = s.Remove(ctx, "view "+key)
	}
	if err != nil {
		t.Error(err)
	}
}

func mountsBelow(t *testing.T, root string) (list []string) {
	t.Helper()
	got, err := mountinfo.GetMounts(mountinfo.PrefixFilter(root))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range got {
		if m.FSType == "erofs" {
			list = append(list, m.Mountpoint)
		}
	}
	return list
}

func TestLayersAreImages(t *testing.T) {
	root, ctx := t.TempDir(), context.Background()
	s := openAt(t, root)
	committed(t, s, "a", "")
	committed(t, s, "b", "a")
	has(t, s, "b", "a", "b")
	images, _ := filepath.Glob(filepath.Join(root, "snapshots", "*", layerName))
	left, _ := filepath.Glob(filepath.Join(root, "snapshots", "*", emptiedDir))
	if len(images) != 2 || len(left) != 0 {
		t.Errorf("images %v, left %v", images, left)
	}
	if got := mountsBelow(t, root); len(got) != 2 {
		t.Errorf("mounted: %v", got)
	}
	u, err := s.Usage(ctx, "b")
	if fi, serr := os.Stat(images[1]); err != nil || serr != nil || u.Size != fi.Sys().(*syscall.Stat_t).Blocks*512 {
		t.Errorf("usage %+v, %v", u, err)
	}
	if err := s.Remove(ctx, "a"); err == nil {
		t.Error("a layer was removed that another stands on")
	}
	has(t, s, "b", "a", "b")
	if err := s.Remove(ctx, "b"); err != nil {
		t.Error(err)
	}
	if err := s.Cleanup(ctx); err != nil {
		t.Error(err)
	}
	if got := mountsBelow(t, root); len(got) != 1 {
		t.Errorf("mounted after a removal: %v", got)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if got := mountsBelow(t, root); len(got) != 0 {
		t.Errorf("mounted after the end: %v", got)
	}
}

// A mount namespace that was made while a layer was mounted, as a parked process has it, does not keep it.
func TestNamespacesKeepNoRemovedLayer(t *testing.T) {
	root, ctx := t.TempDir(), context.Background()
	s := openAt(t, root)
	defer s.Close()
	committed(t, s, "a", "")
	if _, err := s.View(ctx, "v", "a"); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "-m", "--propagation", "slave", "sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	seen := func() bool {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(b), root+"/snapshots/1/fs")
	}
	exe := ""
	for range 500 {
		if exe, _ = os.Readlink(fmt.Sprintf("/proc/%d/exe", cmd.Process.Pid)); strings.Contains(exe, "sleep") || strings.Contains(exe, "coreutils") {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if !seen() {
		t.Fatalf("%s does not see the layer", exe)
	}
	if err := s.Remove(ctx, "v"); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if seen() {
		t.Error("a namespace still has the layer that was removed")
	}
}

// What an engine leaves that is killed at any step of a commit is as if it had not begun, or done.
func TestCommitsThatAreCutShort(t *testing.T) {
	for step, undo := range map[string]func(dir string) error{
		"image not named": func(dir string) error {
			return os.Rename(filepath.Join(dir, layerName), filepath.Join(dir, layerName+newSuffix))
		},
		"files still there": func(dir string) error { return os.WriteFile(filepath.Join(dir, filesName, "a"), []byte("a"), 0o600) },
		"files put aside": func(dir string) error {
			return os.Rename(filepath.Join(dir, filesName), filepath.Join(dir, emptiedDir))
		},
		"files not yet gone": func(dir string) error { return os.MkdirAll(filepath.Join(dir, emptiedDir, "x"), 0o700) },
	} {
		t.Run(strings.ReplaceAll(step, " ", "-"), func(t *testing.T) {
			root := t.TempDir()
			s := openAt(t, root)
			committed(t, s, "a", "")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if err := undo(filepath.Join(root, "snapshots", "1")); err != nil {
				t.Fatal(err)
			}
			s = openAt(t, root)
			defer s.Close()
			has(t, s, "a", "a")
			if left, _ := filepath.Glob(filepath.Join(root, "snapshots", "1", "fs.*")); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// Mounts of an engine that was killed, and images that it had not committed, go when the next one starts.
func TestWhatAKilledEngineLeaves(t *testing.T) {
	root, ctx := t.TempDir(), context.Background()
	s := openAt(t, root)
	committed(t, s, "a", "")
	if _, err := s.View(ctx, "v", "a"); err != nil {
		t.Fatal(err)
	}
	ms, err := s.Prepare(ctx, "p", "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ms.Close(); err != nil { // the lock of the database goes with a process; nothing else is done
		t.Fatal(err)
	}
	if got := mountsBelow(t, root); len(got) != 1 {
		t.Fatalf("mounted: %v", got)
	}
	half := filepath.Join(root, "snapshots", "3", layerName+newSuffix)
	if err := os.WriteFile(half, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, root)
	defer s.Close()
	if got := mountsBelow(t, root); len(got) != 0 {
		t.Errorf("mounted after a start: %v", got)
	}
	if _, err := os.Lstat(half); err == nil {
		t.Error("half an image is left")
	}
	err = mount.WithTempMount(ctx, ms, func(string) error { return nil })
	if again, merr := s.Mounts(ctx, "p"); merr != nil || len(again) != 1 {
		t.Errorf("mounts %v, %v (%v)", again, merr, err)
	}
	has(t, s, "a", "a")
}

func TestImagesByLoopDevice(t *testing.T) {
	root := t.TempDir()
	s := openAt(t, root)
	committed(t, s, "a", "")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	at := t.TempDir()
	m := mount.Mount{Type: "erofs", Source: s.layer("1"), Options: []string{"ro", "loop"}}
	if err := m.Mount(at); err != nil {
		t.Skipf("no loop devices here: %v", err)
	}
	if b, err := os.ReadFile(filepath.Join(at, "a")); err != nil || string(b) != "a" {
		t.Errorf("%q, %v", b, err)
	}
	got, err := mountinfo.GetMounts(mountinfo.SingleEntryFilter(at))
	if err != nil || len(got) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	if err := unmount(at); err != nil {
		t.Error(err)
	}
	if strings.HasPrefix(got[0].Source, "/dev/loop") {
		if b, err := os.ReadFile("/sys/block/" + filepath.Base(got[0].Source) + "/loop/backing_file"); err == nil && strings.Contains(string(b), root) {
			t.Errorf("%s still has %s", got[0].Source, b)
		}
	}
}
