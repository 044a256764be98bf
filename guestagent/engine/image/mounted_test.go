//go:build linux

package image

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// An image that a container mounts stays for it when it is removed, and goes with it, over restarts of the engine too.
func TestMountedImageIsHeld(t *testing.T) {
	ctx := context.Background()
	h, root := newHub(t), t.TempDir()
	s := openAt(t, root, amd64)
	for name, layers := range map[string][]file{
		"one:1": {{name: "a", body: "x"}}, "two:1": {{name: "a", body: "y"}, {name: "b", body: "z"}},
	} {
		l := layer(t, layers[0])
		if len(layers) > 1 {
			pulled(t, h, s, name, l, layer(t, layers[1]))
			continue
		}
		pulled(t, h, s, name, l)
	}
	dir := containerDir(t, s, "c1")
	var imgs []*Image
	for i, name := range []string{"one:1", "two:1"} {
		img, err := s.Resolve(ctx, h.host+"/"+name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Hold(ctx, img, "c1", dir, i); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ImageRemove(ctx, img.ID, true, false); err != nil {
			t.Fatal(err)
		}
		imgs = append(imgs, img)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	stale := filepath.Join(s.mountsDir(), "stale") // of an engine that was killed
	for _, err := range []error{os.Mkdir(stale, 0o700), unix.Mount("none", stale, "tmpfs", 0, "")} {
		if err != nil {
			t.Skip(err)
		}
	}
	s = openAt(t, root, amd64)
	defer s.Close()
	if err := s.Collect(ctx); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"x", "y"} {
		dir, done, err := s.MountReadOnly(ctx, imgs[i])
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, dir, "a"); got != want {
			t.Errorf("image %d has %q", i, got)
		}
		if err := os.WriteFile(filepath.Join(dir, "new"), nil, 0o600); i == 1 && !errors.Is(err, unix.EROFS) {
			t.Errorf("writing into it: %v", err)
		}
		done()
	}
	if left, err := os.ReadDir(s.mountsDir()); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	if err := s.Release(ctx, "c1"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Millisecond)
	if err := s.Collect(ctx); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.MountReadOnly(ctx, imgs[1]); err == nil {
		t.Error("the layers stay without a holder")
	}
}
