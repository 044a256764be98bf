//go:build linux

package container

import (
	"path/filepath"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
)

// A bind that shows the engine's own directory follows what is unmounted there.
func TestBindsOfTheEnginesDirectoryAreSlaves(t *testing.T) {
	w := newWorld(t)
	root := w.deps.Layout.Root
	for _, c := range []struct {
		source, propagation string
		want                mount.Propagation // empty: refused
	}{
		{root, "", "rslave"}, {filepath.Join(root, "containers"), "", "rslave"}, {"/", "", "rslave"}, {filepath.Dir(root), "", "rslave"},
		{root, ":rslave", "rslave"}, {"/", ":rshared", "rshared"},
		{root, ":private", ""}, {"/", ":rprivate", ""}, {"/", ":shared", ""}, {root, ":slave", ""},
		{root + "-other", "", "rprivate"}, {root + "-other", ":private", "private"},
	} {
		r := &Record{Config: &container.Config{}, Host: &container.HostConfig{Binds: []string{c.source + ":/foo" + c.propagation}}}
		got, err := w.mountsOf(r)
		if c.want == "" {
			if errdefs.KindOf(err) != errdefs.KindInvalid {
				t.Errorf("%s%s: %v, %v", c.source, c.propagation, got, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s%s: %v", c.source, c.propagation, err)
			continue
		}
		r.Mounts = got
		if p := mountPoints(r)[0].Propagation; p != c.want {
			t.Errorf("%s%s is %s, want %s", c.source, c.propagation, p, c.want)
		}
	}
}
