//go:build linux

package stage

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Attacks on container start that broke others; each must fail here, and leave the machine as it was.

func TestProcMustBeADirectory(t *testing.T) {
	for _, name := range []string{"proc", "sys"} {
		w := newWorld(t, "true")
		os.Mkdir(filepath.Join(w.root, "elsewhere"), 0o755)
		os.Symlink("elsewhere", filepath.Join(w.root, name))
		_, _, f := w.start(t)
		if f == nil || !strings.Contains(f.Message, "must be mounted on ordinary directory") {
			t.Errorf("/%s is a link (CVE-2019-19921): %+v", name, f)
		}
	}
}

func TestLinksStayInside(t *testing.T) {
	outside := t.TempDir()
	src := t.TempDir()
	w := newWorld(t, "ls", outside+"/a", "/absolute/a")
	os.Symlink(outside, filepath.Join(w.root, "absolute"))
	os.Symlink("../../../../../.."+outside, filepath.Join(w.root, "relative"))
	w.bind("/absolute/a", src)
	w.bind("/relative/b", src)
	_, _, f := w.start(t)
	if left, _ := os.ReadDir(outside); len(left) != 0 {
		t.Errorf("a mount target was made outside of the root (CVE-2021-30465): %v", left)
	}
	if f != nil {
		t.Errorf("a link to what does not exist yet is not made inside: %+v", f)
	}
}

func TestDevMayBeALinkInside(t *testing.T) {
	outside := t.TempDir()
	w := newWorld(t, "true")
	os.Symlink(outside, filepath.Join(w.root, "dev"))
	w.start(t)
	if left, _ := os.ReadDir(outside); len(left) != 0 {
		t.Errorf("/dev was made outside of the root (CVE-2023-27561): %v", left)
	}
}

func TestMountsInsideProcAreRefused(t *testing.T) {
	src := t.TempDir()
	for _, dst := range []string{"/proc/sys", "/proc/self", "/proc/../proc/irq"} {
		w := newWorld(t, "true")
		w.bind(dst, src)
		if _, _, f := w.start(t); f == nil || !strings.Contains(f.Message, "inside /proc") {
			t.Errorf("a mount on %s: %+v", dst, f)
		}
	}
	w := newWorld(t, "true")
	os.Symlink("/proc/sys", filepath.Join(w.root, "innocent"))
	w.bind("/innocent", src)
	if _, _, f := w.start(t); f == nil || !strings.Contains(f.Message, "inside /proc") {
		t.Errorf("a mount on /proc/sys through a link: %+v", f)
	}
}

func TestWorkingDirectoryCannotBeADescriptor(t *testing.T) {
	for n := 3; n < 24; n++ {
		w := newWorld(t, "pwd")
		w.spec.Process.Cwd = "/proc/self/fd/" + strconv.Itoa(n)
		if _, _, f := w.start(t); f == nil {
			t.Errorf("descriptor %d serves as working directory (CVE-2024-21626)", n)
		}
	}
}

func TestProgramCannotBeOverwritten(t *testing.T) {
	before, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, "/proc/self/exe", "-c", "exit 0")
	_, c, f := w.start(t)
	if f != nil {
		t.Logf("refused: %s", f.Message)
	}
	c.cmd.Wait()
	after, err := os.ReadFile("/proc/self/exe")
	if err != nil || len(after) != len(before) {
		t.Errorf("the program changed (CVE-2019-5736): %d bytes, %d before, error %v", len(after), len(before), err)
	}
}
