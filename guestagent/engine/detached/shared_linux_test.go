package detached

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"
)

// On a machine whose mounts are shared, as systemd has them, a copy of one is shared too, and pivot_root(2) refuses it.
func TestARootOfASharedMountIsPrivate(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	source, place := t.TempDir(), t.TempDir()
	for name, ids := range map[string]user.IdentityMapping{"plain": {}, "shifted": shift} {
		where, err := attached(source, filepath.Join(place, name), ids)
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL) {
			t.Skip("no namespaces here: ", err)
		}
		if err != nil {
			t.Fatal(name, ": ", err)
		}
		if where == "" || strings.Contains(where, " shared:") {
			t.Errorf("%s: attached as %q", name, where)
		}
	}
}

// attached attaches a root made of source on a private file system, on a thread that is thrown away, whose mounts are
// shared within a namespace of its own. It gives the root's line of mountinfo (proc_pid_mountinfo(5)).
func attached(source, place string, ids user.IdentityMapping) (line string, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		line, err = attach(source, place, ids)
	}()
	<-done
	return line, err
}

func attach(source, place string, ids user.IdentityMapping) (string, error) {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return "", err
	}
	for _, kind := range []uintptr{unix.MS_PRIVATE, unix.MS_SHARED} {
		if err := unix.Mount("", "/", "", unix.MS_REC|kind, ""); err != nil {
			return "", err
		}
	}
	target := filepath.Join(place, "root")
	if err := os.Mkdir(place, 0o700); err != nil {
		return "", err
	}
	if err := unix.Mount("tmpfs", place, "tmpfs", 0, ""); err != nil {
		return "", err
	}
	if err := unix.Mount("", place, "", unix.MS_PRIVATE, ""); err != nil {
		return "", err
	}
	if err := os.Mkdir(target, 0o700); err != nil {
		return "", err
	}
	mounts := []Mount{{Type: "bind", Source: source, Options: []string{"rbind"}}}
	root, err := Root(mounts)
	if !ids.Empty() {
		root, err = Shifted(mounts, ids)
	}
	if err != nil {
		return "", err
	}
	defer root.Close()
	if err := unix.MoveMount(int(root.Fd()), "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return "", err
	}
	list, err := os.ReadFile("/proc/thread-self/mountinfo")
	for l := range strings.Lines(string(list)) {
		if strings.Contains(l, " "+target+" ") {
			return l, err
		}
	}
	return "", err
}
