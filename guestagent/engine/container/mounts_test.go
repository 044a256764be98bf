//go:build linux

package container

import (
	"path/filepath"
	"strings"
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

func TestModesThatAreOfOtherMountsAreRefusedInDockersWords(t *testing.T) {
	for spec, want := range map[string]string{
		"data:/x:shared":  `invalid volume specification: 'data:/x:shared': invalid mount config for type "volume": field BindOptions must not be specified`,
		"/data:/x:nocopy": `invalid volume specification: '/data:/x:nocopy': invalid mount config for type "bind": field VolumeOptions must not be specified`,
	} {
		if _, err := parseBind(spec); err == nil || err.Error() != want {
			t.Errorf("%s: %v", spec, err)
		}
	}
}

func TestAContainerCannotJoinItsOwnNetwork(t *testing.T) {
	w := newWorld(t)
	w.create("me", func(r *container.CreateRequest) { r.HostConfig.NetworkMode = "container:me" })
	if err := w.ContainerStart(t.Context(), "me"); err == nil || err.Error() != "cannot join own network namespace" {
		t.Errorf("started: %v", err)
	}
}

func TestSetsBeyondTheMachineAreRefused(t *testing.T) {
	if err := checkSet("cpus", "65535"); err == nil || !strings.HasPrefix(err.Error(), "Requested CPUs are not available - requested 65535, available: 0") {
		t.Errorf("cpus: %v", err)
	}
}
