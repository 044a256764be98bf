package rootfs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// WriteEROFS writes files as an EROFS image, by mkfs.erofs of the machine that builds.
func WriteEROFS(image string, files []File) error {
	tree, err := os.MkdirTemp("", "berth-erofs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tree)
	if err := lay(tree, files); err != nil {
		return err
	}
	// Zero times and a fixed UUID: nothing of this build but the files.
	cmd := exec.Command("mkfs.erofs", "--quiet", "-zlz4hc,12", "-T0", "-U", "b37400d1-0000-4000-8000-000000000001", "--all-root", image, tree)
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=0", "LC_ALL=C")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mkfs.erofs (package erofs-utils): %w: %s", err, out)
	}
	return nil
}

// lay writes files below a directory, all with the time zero.
func lay(tree string, files []File) error {
	for _, f := range files {
		p := filepath.Join(tree, f.Name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(p, f.Data, os.FileMode(f.Mode)); err != nil {
			return err
		}
		if err := os.Chmod(p, os.FileMode(f.Mode)); err != nil { // whatever the umask is
			return err
		}
	}
	return filepath.WalkDir(tree, func(p string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chtimes(p, time.Unix(0, 0), time.Unix(0, 0))
	})
}
