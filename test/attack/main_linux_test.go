package attack

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/berthhq/berth/test/harness"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/moby/api/types/container"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m, "test/attack/probe")) }

// newWorld is an engine with busybox ("bb") and the attacker's image ("evil"), which has /probe besides.
func newWorld(t *testing.T) *harness.World {
	t.Helper()
	w := harness.New(t)
	w.Take("evil", evil(t, nil))
	return w
}

// evil is busybox with /probe and further files.
func evil(t *testing.T, change func(*v1.Config), more ...harness.File) v1.Image {
	t.Helper()
	probe, err := os.ReadFile(filepath.Join(harness.Bin(), "probe"))
	if err != nil {
		t.Fatal(err)
	}
	files := append([]harness.File{{Name: "probe", Mode: 0o755, Body: probe}}, more...)
	return harness.Image(t, harness.Busybox(t), change, harness.Layer(t, files...))
}

// launchers are the two ways in which a container is started, and what asks for each.
func launchers() map[string]func(*container.HostConfig) {
	return map[string]func(*container.HostConfig){
		"staged":       func(*container.HostConfig) {},
		"libcontainer": func(h *container.HostConfig) { h.UTSMode = "host" },
	}
}

// programs gives the digest of each built program.
func programs(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	list, err := filepath.Glob(filepath.Join(harness.Bin(), "*"))
	if err != nil || len(list) == 0 {
		t.Fatalf("no programs: %v", err)
	}
	for _, p := range list {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		out[p] = fmt.Sprintf("%x", sha256.Sum256(b))
	}
	return out
}

// victim makes a directory of the machine with one file in it, which an attack must neither change nor see.
func victim(t *testing.T) (dir, file string) {
	t.Helper()
	dir = harness.StateDir(t)
	file = filepath.Join(dir, "secret")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, file
}

const secret = "the machine's secret"

// untouched fails where a victim is not as it was.
func untouched(t *testing.T, dir, file string) {
	t.Helper()
	if b, err := os.ReadFile(file); err != nil || string(b) != secret {
		t.Errorf("%s is now %q (%v)", file, b, err)
	}
	if fi, err := os.Stat(file); err != nil || fi.Mode() != 0o600 {
		t.Errorf("%s has now mode %v (%v)", file, fi.Mode(), err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("%s holds now %v (%v)", dir, list, err)
	}
}
