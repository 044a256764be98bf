//go:build linux

package layertar

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// mk makes directories with a mode below root.
func mk(t *testing.T, root string, dirs map[string]os.FileMode) {
	t.Helper()
	for d, mode := range dirs {
		p := filepath.Join(root, d)
		if err := os.MkdirAll(p, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(p, mode); err != nil {
			t.Fatal(err)
		}
	}
}

func modeOf(t *testing.T, parts ...string) uint32 {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Lstat(filepath.Join(parts...), &st); err != nil {
		t.Fatal(err)
	}
	return st.Mode & 0o7777
}

func TestImpliedDirectoriesTakeTheNearestLayers(t *testing.T) {
	layer, near, far := t.TempDir(), t.TempDir(), t.TempDir()
	mk(t, layer, map[string]os.FileMode{"a": 0o755, "b": 0o755, "c": 0o755, "d": 0o755, "e": 0o755})
	mk(t, near, map[string]os.FileMode{"a": 0o700})
	mk(t, far, map[string]os.FileMode{"a": 0o777, "b": os.ModeSticky | 0o777, "c": 0o711})
	outside := t.TempDir()
	mk(t, outside, map[string]os.FileMode{"": 0o700})
	// c was replaced by a file in the nearer layer; d is a link out of its layer, which must not be followed there.
	if err := os.WriteFile(filepath.Join(near, "c"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(near, "d")); err != nil {
		t.Fatal(err)
	}
	if err := (Applied{dir: layer, Implied: []string{"/e", "/d", "/c", "/b", "/a", "/absent"}}).Settle([]string{near, far}); err != nil {
		t.Fatal(err)
	}
	for d, want := range map[string]uint32{"a": 0o700, "b": 0o1777, "c": 0o755, "d": 0o755, "e": 0o755} {
		if got := modeOf(t, layer, d); got != want {
			t.Errorf("%s has mode %o, want %o", d, got, want)
		}
	}
	if got := modeOf(t, outside); got != 0o700 {
		t.Errorf("the directory outside became %o", got)
	}
}
