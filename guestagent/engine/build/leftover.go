//go:build linux

package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/build/sandbox"
	"github.com/berthhq/berth/internal/paths"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// tempMount begins the name of the directories where BuildKit mounts what it copies files from and to.
const tempMount = "buildkit-mount"

// layerDirs are where the image store keeps unpacked layers, of either storage driver.
var layerDirs = []string{"/overlayfs/snapshots/", "/erofs/snapshots/"}

// shows tells whether a mount shows layers of the image store: an overlay of them, or one of them bound.
func shows(m *mountinfo.Info, images string) bool {
	if strings.Contains(m.VFSOptions, images+"/") || m.FSType == "erofs" && strings.HasPrefix(imageFile(m.Source), images+"/") {
		return true
	}
	for _, dir := range layerDirs {
		at := strings.Index(m.Root, dir)
		if at < 0 {
			continue
		}
		there, err := os.Stat(m.Mountpoint)
		if err != nil {
			return false
		}
		here, err := os.Stat(filepath.Join(images, m.Root[at:]))
		return err == nil && os.SameFile(there, here)
	}
	return false
}

// imageFile is the file that an EROFS mount is of, through a loop device or not.
func imageFile(source string) string {
	name, ok := strings.CutPrefix(source, "/dev/")
	if !ok {
		return source
	}
	b, err := os.ReadFile(filepath.Join("/sys/block", name, "loop/backing_file"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// clearLeft takes away what an engine that was killed in the middle of a build has left; where none ever built it looks
// no further.
func clearLeft(l paths.Layout) error {
	if _, err := os.Stat(l.BuildRun()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(sandbox.Clear(l.BuildRun()), clearLeftMounts(l.Images()))
}

// clearLeftMounts takes away what an engine that was killed in the middle of a build left mounted of the images.
func clearLeftMounts(images string) error {
	prefix := filepath.Join(os.TempDir(), tempMount)
	list, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) {
		return !strings.HasPrefix(m.Mountpoint, prefix) || !shows(m, images), false
	})
	if err != nil {
		return err
	}
	for _, m := range list {
		if err := unix.Unmount(m.Mountpoint, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmounting %s: %w", m.Mountpoint, err)
		}
		_ = os.Remove(m.Mountpoint) // an empty directory below the system's temporary one harms nobody
	}
	return nil
}
