//go:build linux

package image

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/mount"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func pulled(t testing.TB, h *hub, s *Service, repo string, layers ...v1.Layer) string {
	t.Helper()
	ref := h.push(t, repo, imageOf(t, v1.Config{}, layers...))
	if err := s.ImagePull(context.Background(), ref, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	return ref
}

func containerDir(t testing.TB, s *Service, id string) string {
	t.Helper()
	dir := filepath.Join(s.layout.Containers(), id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestWritableLayersAreApart(t *testing.T) {
	h, s := newHub(t), open(t, amd64)
	ref := pulled(t, h, s, "apart:1", layer(t, file{name: "a", body: "image"}))
	one, two := mounted(t, s, ref, "c1"), mounted(t, s, ref, "c2")
	if err := os.WriteFile(filepath.Join(one, "a"), []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := read(t, two, "a"); got != "image" {
		t.Errorf("another container sees %q", got)
	}
	rw, rootfs, err := s.Usage(context.Background(), "c1", filepath.Join(s.layout.Containers(), "c1"))
	if err != nil || rw <= 0 || rootfs < rw {
		t.Errorf("Usage = %d, %d, %v", rw, rootfs, err)
	}
	if names := snapshotsOf(t, s, ""); len(names) != 2 {
		t.Errorf("two containers of one layer made the snapshots %v, want the layer and one view", names)
	}
}

func TestImageWithoutLayers(t *testing.T) {
	h, s := newHub(t), open(t, amd64)
	ref := pulled(t, h, s, "scratch:1")
	root := mounted(t, s, ref, "c")
	if err := os.WriteFile(filepath.Join(root, "x"), []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	if rw, rootfs, err := s.Usage(context.Background(), "c", containerDir(t, s, "c")); err != nil || rw != rootfs {
		t.Errorf("Usage = %d, %d, %v", rw, rootfs, err)
	}
}

func TestRootKeepsOwnerAndModeOfTheImage(t *testing.T) {
	h, s := newHub(t), open(t, amd64)
	// The first layer's own root is 0755; what a layer implies without describing it must come from below.
	ref := pulled(t, h, s, "modes:1",
		layer(t, file{name: "tmp", kind: '5', mode: 0o1777, uid: 7}, dir("home"), file{name: "home/u", kind: '5', mode: 0o700, uid: 1000}),
		layer(t, file{name: "tmp/x", body: "1"}, file{name: "home/u/.rc", body: "2", uid: 1000}),
		layer(t, file{name: "home/u/deep/y", body: "3"}))
	root := mounted(t, s, ref, "c")
	for name, want := range map[string]struct {
		mode uint32
		uid  uint32
	}{"": {0o755, 0}, "tmp": {0o1777, 7}, "home/u": {0o700, 1000}, "home/u/deep": {0o755, 0}} {
		var st syscall.Stat_t
		if err := syscall.Stat(filepath.Join(root, name), &st); err != nil {
			t.Fatal(err)
		}
		if st.Mode&0o7777 != want.mode || st.Uid != want.uid {
			t.Errorf("/%s: mode %o uid %d, want %o %d", name, st.Mode&0o7777, st.Uid, want.mode, want.uid)
		}
	}
}

// No builder makes such a layer, and docker refuses it too; what matters is that nothing is linked from elsewhere.
func TestHardLinkToALowerLayerIsRefused(t *testing.T) {
	h, s := newHub(t), open(t, amd64)
	ref := h.push(t, "hard:1", imageOf(t, v1.Config{},
		layer(t, file{name: "bin/a", body: "program", mode: 0o755}),
		layer(t, file{name: "bin/b", link: "bin/a", kind: '1'})))
	if err := s.ImagePull(context.Background(), ref, nil, nil, nil); err == nil {
		t.Error("a hard link to a file that the layer does not have was taken")
	}
}

func TestHoldsSurviveTheEngineAndTheImage(t *testing.T) {
	ctx := context.Background()
	h, state := newHub(t), t.TempDir()
	s := openAt(t, state, amd64)
	ref := pulled(t, h, s, "hold:1", layer(t, file{name: "a", body: "kept"}), layer(t, file{name: "b", body: "kept"}))
	img, err := s.Resolve(ctx, ref, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := containerDir(t, s, "c1")
	if err := s.Prepare(ctx, img, "c1", dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, state, amd64)
	defer s.Close()
	if _, err := s.ImageRemove(ctx, ref, true, false); err != nil {
		t.Fatal(err)
	}
	if err := s.Collect(ctx); err != nil {
		t.Fatal(err)
	}
	ms, err := s.Mounts(ctx, nil, "c1", dir)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := mount.All(ms, root); err != nil {
		t.Fatal(err)
	}
	if got := read(t, root, "a"); got != "kept" {
		t.Errorf("a = %q", got)
	}
	if err := mount.UnmountAll(root, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Release(ctx, "c1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Collect(ctx); err != nil {
		t.Fatal(err)
	}
	if names := snapshotsOf(t, s, ""); len(names) != 0 {
		t.Errorf("snapshots left after the last container: %v", names)
	}
	if _, err := s.Mounts(ctx, img, "c1", dir); errdefs.KindOf(err) != errdefs.KindNotFound {
		t.Errorf("Mounts of what is gone: %v", err)
	}
}

func TestCollectKeepsWhatIsInUse(t *testing.T) {
	ctx := context.Background()
	h, s := newHub(t), open(t, amd64)
	ref := pulled(t, h, s, "keep:1", layer(t, file{name: "a", body: "1"}), layer(t, file{name: "b", body: "2"}))
	for range 3 {
		if err := s.Collect(ctx); err != nil {
			t.Fatal(err)
		}
	}
	root := mounted(t, s, ref, "c")
	if err := s.Release(ctx, "c"); err != nil {
		t.Fatal(err)
	}
	if err := s.Collect(ctx); err != nil {
		t.Fatal(err)
	}
	read(t, root, "b")
	if views := snapshotsOf(t, s, viewPrefix); len(views) != 1 {
		t.Errorf("views = %v, want that of the image to stay", views)
	}
}

func TestSecondServiceIsRefused(t *testing.T) {
	s := open(t)
	if other, err := Open(context.Background(), s.layout, Config{}); err == nil {
		_ = other.Close()
		t.Fatal("two services opened one state directory")
	} else if errdefs.KindOf(err) != errdefs.KindUnavailable {
		t.Errorf("error = %v", err)
	}
}

func TestHalfUnpackedSnapshotsGoWhenTheEngineStarts(t *testing.T) {
	state := t.TempDir()
	s := openAt(t, state)
	ctx := s.ctx(context.Background())
	if _, err := s.sn.Prepare(ctx, extractPrefix+"x", ""); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, state)
	defer s.Close()
	if left := snapshotsOf(t, s, extractPrefix); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestManyLayers(t *testing.T) {
	h, s := newHub(t), open(t, amd64)
	var layers []v1.Layer
	for i := range 60 {
		layers = append(layers, layer(t, file{name: "f" + strings.Repeat("x", i), body: "1"}, file{name: "last", body: strings.Repeat("y", i)}))
	}
	ref := pulled(t, h, s, "many:1", layers...)
	if got := len(read(t, mounted(t, s, ref, "c"), "last")); got != 59 {
		t.Errorf("last has %d bytes, want the topmost layer's", got)
	}
}

// A power cut may keep a container's record and lose the directories that were made before it.
func TestAWritableLayerThatAPowerCutTookIsMadeAnew(t *testing.T) {
	h, s := newHub(t), open(t, amd64)
	ref := pulled(t, h, s, "cut:1", layer(t, file{name: "a", body: "image"}))
	for id, lose := range map[string]string{"c1": workName, "c2": upperName, "c3": ""} {
		dir := containerDir(t, s, id)
		img, err := s.Resolve(context.Background(), ref, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Prepare(context.Background(), img, id, dir); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, upperName, "kept"), []byte("1"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(dir, lose)); err != nil {
			t.Fatal(err)
		}
		ms, err := s.Mounts(context.Background(), img, id, dir)
		if err != nil {
			t.Fatal(err)
		}
		root := t.TempDir()
		if err := mount.All(ms, root); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = mount.UnmountAll(root, 0) })
		if got := read(t, root, "a"); got != "image" {
			t.Errorf("%s: the image's file is %q", id, got)
		}
		if _, err := os.Stat(filepath.Join(root, "kept")); (err == nil) != (lose == workName) {
			t.Errorf("%s: what the container wrote: %v", id, err)
		}
	}
}
