//go:build linux

package image

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
)

// The storage driver is chosen once for a state directory; later it is what it was, and another is refused.
func TestTheDriverIsChosenOnce(t *testing.T) {
	needRoot(t)
	for _, driver := range []string{DriverOverlay, DriverErofs} {
		root := t.TempDir()
		open := func(asked string) (*Service, error) {
			return Open(context.Background(), paths.For(root), Config{Driver: asked})
		}
		s, err := open(driver)
		if errdefs.KindOf(err) == errdefs.KindNotImplemented {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		for _, asked := range []string{"", driver} {
			s, err := open(asked)
			if err != nil {
				t.Fatal(err)
			}
			if s.Driver() != driver {
				t.Errorf("%q after %s is %s", asked, driver, s.Driver())
			}
			s.Close()
		}
		other := map[string]string{DriverOverlay: DriverErofs, DriverErofs: DriverOverlay}[driver]
		if _, err := open(other); errdefs.KindOf(err) != errdefs.KindConflict || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s after %s: %v", other, driver, err)
		}
	}
}

// A state directory of before there was a choice has overlayfs.
func TestTheDriverOfOldDirectories(t *testing.T) {
	needRoot(t)
	root := t.TempDir()
	s := openAt(t, root, func(c *Config) { c.Driver = DriverOverlay })
	s.Close()
	if err := os.Remove(filepath.Join(paths.For(root).Images(), driverFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), paths.For(root), Config{Driver: DriverErofs}); errdefs.KindOf(err) != errdefs.KindConflict {
		t.Errorf("erofs in a directory of overlayfs: %v", err)
	}
	s = openAt(t, root, func(c *Config) { c.Driver = "" })
	defer s.Close()
	if s.Driver() != DriverOverlay {
		t.Errorf("driver %s", s.Driver())
	}
}
