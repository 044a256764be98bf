//go:build linux

package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/image/erofssnap"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/plugins/snapshots/overlay"
)

// What unpacked layers may be kept as. The name is how the metadata calls the snapshotter, a part of garbage collection
// labels, and the name of its directory.
const (
	DriverOverlay = "overlayfs" // directories
	DriverErofs   = "erofs"     // EROFS images
)

// driverFile holds the choice that was made for a state directory.
const driverFile = "storage-driver"

// Driver is what layers of this state directory are kept as.
func (s *Service) Driver() string { return s.driver }

// chooseDriver takes the choice that was made for a state directory, or makes it. Errors: Conflict where another one is
// asked for than was made: its layers would be of no use.
func chooseDriver(root, asked string) (string, error) {
	file := filepath.Join(root, driverFile)
	made, err := recordedDriver(root, file)
	switch {
	case err != nil:
		return "", fmt.Errorf("image store: %w", err)
	case made != "" && asked != "" && asked != made:
		return "", errdefs.Conflict("storage-driver %s: the images below %s were unpacked with %s, which stays as long as that directory", asked, root, made)
	case made == DriverOverlay || made == DriverErofs:
		return made, nil
	case made != "":
		return "", errdefs.Invalid("image store: %s names the storage driver %q, which this version does not know", file, made)
	case asked == "":
		asked = DriverOverlay
	}
	return asked, nil
}

// recordedDriver is the recorded choice; "" where there are no images yet. Until there was a choice all was overlayfs.
func recordedDriver(root, file string) (string, error) {
	b, err := os.ReadFile(file)
	if err == nil {
		return strings.TrimSpace(string(b)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if _, err := os.Lstat(filepath.Join(root, DriverOverlay)); err == nil {
		return DriverOverlay, nil
	}
	return "", nil
}

// recordDriver writes the choice down, once the snapshotter has opened.
func recordDriver(root, driver string) error {
	file := filepath.Join(root, driverFile)
	if _, err := os.Lstat(file); err == nil {
		return nil
	}
	f, err := os.OpenFile(file+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(driver + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// openSnapshotter opens the snapshotter of a driver; erofs is nil but for DriverErofs.
func openSnapshotter(root, driver string) (sn snapshots.Snapshotter, erofs *erofssnap.Snapshotter, err error) {
	dir := filepath.Join(root, driver)
	if driver == DriverErofs {
		erofs, err = erofssnap.Open(dir)
		return erofs, erofs, err
	}
	sn, err = overlay.NewSnapshotter(dir, overlay.AsynchronousRemove)
	return sn, nil, err
}
