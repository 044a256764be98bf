package harness

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Bin is the directory of the built programs.
func Bin() string { return os.Getenv(envBin) }

// module is the top of berth's module: above the test's directory, which go test starts it in and which may be a module
// of its own.
func module() string {
	dir, err := os.Getwd()
	for err == nil && dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, "cmd", "berth-engine")); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	return "."
}

// buildAll builds berth's programs, as the Makefile does, and further packages of the module without cgo.
func buildAll(bin string, more []string) error {
	for _, p := range append([]string{"cmd/berth", "cmd/berth-engine", "cmd/berth-netd", "cmd/berth-init", "cmd/berth-supervisor"}, more...) {
		args := []string{"build", "-buildvcs=false", "-trimpath", "-o", filepath.Join(bin, filepath.Base(p))}
		cgo := "CGO_ENABLED=0"
		if p == "cmd/berth-supervisor" {
			cgo = "CGO_ENABLED=1"
			args = append(args, "-tags", "netgo osusergo seccomp", "-ldflags", "-extldflags -static")
		}
		cmd := exec.Command("go", append(args, "./"+p)...)
		cmd.Dir = module()
		cmd.Env = append(os.Environ(), cgo)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", p, err, out)
		}
	}
	return nil
}

// watchSources looks at every source of the programs. go test takes a result from its cache while no file that the
// test looked at has changed; without this it would not see that a program did.
func watchSources() {
	for _, top := range []string{"cmd", "guestagent", "internal"} {
		filepath.WalkDir(filepath.Join(module(), top), func(path string, d fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") {
				os.Stat(path)
			}
			return nil
		})
	}
}

// StateDir makes a directory on a file system that can hold the layers of an overlay, which another overlay cannot.
func StateDir(t *testing.T) string {
	t.Helper()
	for _, base := range []string{os.Getenv("BERTH_E2E_STATE"), "/var/tmp", os.TempDir(), "/dev/shm"} {
		if base == "" {
			continue
		}
		dir, err := os.MkdirTemp(base, "berth-test-")
		if err != nil {
			continue
		}
		var st unix.Statfs_t
		if unix.Statfs(dir, &st) == nil && st.Type != unix.OVERLAYFS_SUPER_MAGIC {
			t.Cleanup(func() { os.RemoveAll(dir) })
			return dir
		}
		os.Remove(dir)
	}
	t.Skip("no file system here can hold the layers of an overlay")
	return ""
}
