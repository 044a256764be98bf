//go:build linux

package image

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/mount"
)

// After a power cut the files of a layer may be empty though its record is there. The note on disk makes the next
// engine unpack it again, under the containers that stand on it.
func TestLayersOfALostBootAreUnpackedAgain(t *testing.T) {
	ctx := context.Background()
	h, state := newHub(t), t.TempDir()
	s := openAt(t, state, amd64)
	ref := pulled(t, h, s, "cut/power:1", layer(t, file{name: "a", body: "right"}), layer(t, file{name: "b", body: "right"}))
	img, err := s.Resolve(ctx, ref, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := containerDir(t, s, "c1")
	if err := s.Prepare(ctx, img, "c1", dir); err != nil {
		t.Fatal(err)
	}
	lowers, err := s.lowers(s.ctx(ctx), img.ChainID)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lowers {
		for _, n := range []string{"a", "b"} {
			_ = os.Truncate(filepath.Join(l, n), 0)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.layout.Images(), "unsynced.json")
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Fatalf("the note is there after Close waited for the sync: %v", err)
	}
	b, _ := json.Marshal(map[string]any{"boot": "another", "chains": []string{firstChain(t, img)}})
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, state, amd64)
	defer s.Close()
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the note is left: %v", err)
	}
	ms, err := s.Mounts(ctx, nil, "c1", dir)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := mount.All(ms, root); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mount.UnmountAll(root, 0) }()
	for _, n := range []string{"a", "b"} {
		if got := read(t, root, n); got != "right" {
			t.Errorf("%s = %q", n, got)
		}
	}
}

func firstChain(t *testing.T, img *Image) string {
	t.Helper()
	return img.Config.RootFS.DiffIDs[0].String()
}

func TestNoteOfTheSameBootIsOnlySynced(t *testing.T) {
	state := t.TempDir()
	h, s := newHub(t), openAt(t, state, amd64)
	ref := pulled(t, h, s, "same/boot:1", layer(t, file{name: "a", body: "x"}))
	img, err := s.Resolve(context.Background(), ref, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(map[string]any{"boot": strings.TrimSpace(read(t, "/proc/sys/kernel/random/boot_id")), "chains": []string{img.ChainID}})
	if err := os.WriteFile(filepath.Join(s.layout.Images(), "unsynced.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, state, amd64)
	if names := snapshotsOf(t, s, img.ChainID); len(names) != 1 {
		t.Errorf("snapshots: %v", names)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(s.layout.Images(), "unsynced.json")); !os.IsNotExist(err) {
		t.Errorf("the note is left: %v", err)
	}
}
