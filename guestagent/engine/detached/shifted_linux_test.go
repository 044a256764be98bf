package detached

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"
)

// layers makes an image's layer with a file of root and one of user 33, and the directories of a container, in a
// directory whose file system has idmapped mounts.
func layers(t *testing.T) (dir string, overlay Mount) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	dir = t.TempDir()
	for _, d := range []string{"low", "low2", "c/upper", "c/work"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, id := range map[string]int{"low/root": 0, "low/www": 33, "low2/gone": 0} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(filepath.Join(dir, name), id, id+1); err != nil {
			t.Fatal(err)
		}
	}
	return dir, Mount{Type: "overlay", Source: "overlay", Options: []string{
		"index=off", "lowerdir=" + dir + "/low:" + dir + "/low2", "upperdir=" + dir + "/c/upper", "workdir=" + dir + "/c/work",
	}}
}

var shift = user.IdentityMapping{
	UIDMaps: []user.IDMap{{ID: 0, ParentID: 100000, Count: 65536}}, GIDMaps: []user.IDMap{{ID: 0, ParentID: 200000, Count: 65536}},
}

func owner(t *testing.T, dirfd int, name string) string {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstatat(dirfd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err.Error()
	}
	return fmt.Sprint(st.Uid, ":", st.Gid)
}

func TestShiftedOverlay(t *testing.T) {
	dir, overlay := layers(t)
	root, err := Shifted([]Mount{overlay}, shift)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	fd := int(root.Fd())
	for name, want := range map[string]string{".": "100000:200000", "root": "100000:200001", "www": "100033:200034"} {
		if got := owner(t, fd, name); got != want {
			t.Errorf("%s in the root is %s's, want %s", name, got, want)
		}
	}
	asContainer(t, fd)
	if err := unix.Fchownat(fd, "www", 100007, 200007, 0); err != nil {
		t.Error(err)
	}
	if got := owner(t, fd, "new"); got != "100000:200000" {
		t.Errorf("what its root makes is %s's", got)
	}
	for name, want := range map[string]string{"new": "0:0", "www": "7:7", "root": unix.ENOENT.Error()} {
		if got := owner(t, unix.AT_FDCWD, filepath.Join(dir, "c/upper", name)); got != want {
			t.Errorf("%s on the disk is %s's, want %s", name, got, want)
		}
	}
	if err := unix.Unlinkat(fd, "gone", 0); err != nil {
		t.Error(err)
	}
	if st, err := os.Lstat(filepath.Join(dir, "c/upper/gone")); err != nil || st.Mode()&os.ModeCharDevice == 0 {
		t.Errorf("a file that was removed leaves %v, %v", st, err)
	}
	if got := owner(t, unix.AT_FDCWD, filepath.Join(dir, "low/www")); got != "33:34" {
		t.Errorf("the image's file is %s's now", got)
	}
}

// asContainer makes the file "new" as the container's root would.
func asContainer(t *testing.T, root int) {
	t.Helper()
	done := make(chan error)
	go onSpareThread(func() {
		done <- func() error {
			if err := unix.Setfsgid(200000); err != nil {
				return err
			}
			if err := unix.Setfsuid(100000); err != nil {
				return err
			}
			fd, err := unix.Openat(root, "new", unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
			if err == nil {
				unix.Close(fd)
			}
			return err
		}()
	})
	if err := <-done; err != nil {
		t.Errorf("the container's root makes a file: %v", err)
	}
}

func TestShiftedOverlayIsTakenUpAgain(t *testing.T) {
	dir, overlay := layers(t)
	for i := range 2 {
		root, err := Shifted([]Mount{overlay}, shift)
		if err != nil {
			t.Fatal(err)
		}
		err = unix.Mkdirat(int(root.Fd()), fmt.Sprint("d", i), 0o755)
		root.Close()
		if err != nil {
			t.Errorf("mount %d: %v", i, err)
		}
	}
	plain, err := Root([]Mount{overlay})
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if got := owner(t, int(plain.Fd()), "www"); got != "33:34" {
		t.Errorf("unshifted, www is %s's", got)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "c/upper")); err != nil || len(left) != 2 {
		t.Errorf("upper holds %v, %v", left, err)
	}
}

func TestShiftedBind(t *testing.T) {
	dir, _ := layers(t)
	root, err := Shifted([]Mount{{Type: "bind", Source: dir + "/low", Options: []string{"rbind", "ro"}}}, shift)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if got := owner(t, int(root.Fd()), "www"); got != "100033:200034" {
		t.Errorf("www is %s's", got)
	}
	if err := unix.Unlinkat(int(root.Fd()), "www", 0); err != unix.EROFS {
		t.Errorf("a file of a read-only root is removed: %v", err)
	}
}
