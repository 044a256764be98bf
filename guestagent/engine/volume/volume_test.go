//go:build linux

package volume

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berthhq/berth/guestagent/engine/meta"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
	"github.com/moby/moby/api/types/volume"
)

type heard []string

func (h *heard) Publish(typ, action, id string, _ map[string]string) {
	*h = append(*h, typ+" "+action+" "+id)
}

func service(t *testing.T, root string) (*Service, *heard) {
	t.Helper()
	l := paths.For(root)
	db, err := meta.Open(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	h := &heard{}
	s, err := New(l, db, h)
	if err != nil {
		t.Fatal(err)
	}
	return s, h
}

func create(t *testing.T, s *Service, req volume.CreateRequest) *volume.Volume {
	t.Helper()
	v, err := s.Create(context.Background(), &req)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVolumesOutliveTheEngine(t *testing.T) {
	root := t.TempDir()
	l := paths.For(root)
	db, err := meta.Open(l)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(l, db, &heard{})
	if err != nil {
		t.Fatal(err)
	}
	v := create(t, s, volume.CreateRequest{Name: "data", Labels: map[string]string{"a": "b"}})
	os.WriteFile(filepath.Join(v.Mountpoint, "f"), []byte("kept"), 0o644)
	db.Close()
	s, _ = service(t, root)
	again, err := s.Inspect(context.Background(), "data")
	if err != nil || again.Labels["a"] != "b" || again.Mountpoint != v.Mountpoint {
		t.Errorf("%+v, error %v", again, err)
	}
	if b, _ := os.ReadFile(filepath.Join(again.Mountpoint, "f")); string(b) != "kept" {
		t.Errorf("data %q", b)
	}
}

func TestNames(t *testing.T) {
	s, _ := service(t, t.TempDir())
	for _, bad := range []string{"a", "/etc", "..", "a/b", "-x", "a b", strings.Repeat("x", 300)} {
		if _, err := s.Create(context.Background(), &volume.CreateRequest{Name: bad}); errdefs.KindOf(err) != errdefs.KindInvalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
	v := create(t, s, volume.CreateRequest{})
	if _, ok := v.Labels[anonymousLabel]; len(v.Name) != 64 || !ok {
		t.Errorf("anonymous volume %+v", v)
	}
	if same := create(t, s, volume.CreateRequest{Name: v.Name}); same.Name != v.Name {
		t.Error("a second creation is another volume")
	}
	if _, err := s.Create(context.Background(), &volume.CreateRequest{Name: "xx", Driver: "rex"}); errdefs.KindOf(err) != errdefs.KindNotFound {
		t.Errorf("another driver: %v", err)
	}
}

func TestUsedVolumesStay(t *testing.T) {
	s, h := service(t, t.TempDir())
	ctx := context.Background()
	v := create(t, s, volume.CreateRequest{Name: "data"})
	if err := s.Acquire("data", "c1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(ctx, "data", true); errdefs.KindOf(err) != errdefs.KindConflict || !strings.Contains(err.Error(), "volume is in use - [c1]") {
		t.Errorf("error %v", err)
	}
	if r, _ := s.Prune(ctx, map[string]map[string]bool{"all": {"true": true}}); len(r.VolumesDeleted) != 0 {
		t.Errorf("pruned %v", r.VolumesDeleted)
	}
	s.Release("c1")
	if err := s.Remove(ctx, "data", false); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(v.Mountpoint); err == nil {
		t.Error("the data is left")
	}
	if err := s.Remove(ctx, "data", false); errdefs.KindOf(err) != errdefs.KindNotFound {
		t.Errorf("error %v", err)
	}
	if err := s.Remove(ctx, "data", true); err != nil {
		t.Errorf("forced: %v", err)
	}
	if got := strings.Join(*h, ","); got != "volume create data,volume destroy data" {
		t.Errorf("events %s", got)
	}
}

func TestPruneTakesAnonymousOnes(t *testing.T) {
	s, _ := service(t, t.TempDir())
	create(t, s, volume.CreateRequest{Name: "named"})
	anon := create(t, s, volume.CreateRequest{})
	os.WriteFile(filepath.Join(anon.Mountpoint, "f"), make([]byte, 1000), 0o644)
	r, err := s.Prune(context.Background(), nil)
	if err != nil || len(r.VolumesDeleted) != 1 || r.VolumesDeleted[0] != anon.Name || r.SpaceReclaimed != 1000 {
		t.Errorf("report %+v, error %v", r, err)
	}
	if _, err := s.Prune(context.Background(), map[string]map[string]bool{"size": {"1": true}}); errdefs.KindOf(err) != errdefs.KindInvalid {
		t.Errorf("unknown filter: %v", err)
	}
}

func TestCopyUpFillsEmptyVolumesOnly(t *testing.T) {
	s, _ := service(t, t.TempDir())
	v := create(t, s, volume.CreateRequest{Name: "data"})
	src := t.TempDir()
	os.Chmod(src, 0o711)
	os.WriteFile(src+"/f", []byte("image"), 0o640)
	os.Symlink("/etc/passwd", src+"/l")
	copyUp := func() {
		d, err := os.Open(src)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if err := s.CopyUp("data", "", d); err != nil {
			t.Fatal(err)
		}
	}
	copyUp()
	st, err := os.Stat(v.Mountpoint + "/f")
	if err != nil || st.Mode().Perm() != 0o640 {
		t.Fatalf("file %v, error %v", st, err)
	}
	if l, _ := os.Readlink(v.Mountpoint + "/l"); l != "/etc/passwd" {
		t.Errorf("link %q", l)
	}
	if st, _ := os.Stat(v.Mountpoint); st.Mode().Perm() != 0o711 {
		t.Errorf("the volume's own mode is %v", st.Mode())
	}
	os.WriteFile(v.Mountpoint+"/f", []byte("person"), 0o640)
	copyUp()
	if b, _ := os.ReadFile(v.Mountpoint + "/f"); string(b) != "person" {
		t.Error("what a person wrote was overwritten")
	}
}

func TestList(t *testing.T) {
	s, _ := service(t, t.TempDir())
	create(t, s, volume.CreateRequest{Name: "web", Labels: map[string]string{"tier": "front"}})
	create(t, s, volume.CreateRequest{Name: "db"})
	s.Acquire("db", "c")
	for filter, want := range map[string]string{
		"": "db web", "name=we": "web", "label=tier": "web", "label=tier=back": "", "dangling=true": "web", "dangling=false": "db", "driver=local": "db web",
	} {
		f := map[string]map[string]bool{}
		if k, v, ok := strings.Cut(filter, "="); ok {
			f[k] = map[string]bool{v: true}
		}
		resp, err := s.List(context.Background(), f)
		var names []string
		for _, v := range resp.Volumes {
			names = append(names, v.Name)
		}
		if got := strings.Join(names, " "); err != nil || got != want {
			t.Errorf("%s: %q, error %v", filter, got, err)
		}
	}
}

func TestOptions(t *testing.T) {
	for name, tc := range map[string]struct {
		opts map[string]string
		ok   bool
	}{
		"none": {nil, true}, "tmpfs": {map[string]string{"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}, true},
		"bind":        {map[string]string{"type": "none", "device": "/tmp", "o": "bind"}, true},
		"unknown":     {map[string]string{"colour": "red"}, false},
		"no device":   {map[string]string{"type": "nfs"}, false},
		"only option": {map[string]string{"o": "ro"}, false},
	} {
		if err := checkOptions(tc.opts); (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	flags, data, err := mountOptions("tmpfs", "ro,nosuid,rw,size=5m,mode=700")
	if err != nil || data != "size=5m,mode=700" || flags&1 != 0 || flags&2 == 0 {
		t.Errorf("flags %x, data %q, error %v", flags, data, err)
	}
}

func FuzzMountOptions(f *testing.F) {
	f.Add("tmpfs", "ro,size=1m,,rw")
	f.Add("ext4", "=,bind,rbind")
	f.Fuzz(func(t *testing.T, kind, opts string) {
		if strings.HasPrefix(kind, "nfs") {
			t.Skip() // would ask a name server
		}
		if _, data, err := mountOptions(kind, opts); err != nil || strings.HasPrefix(data, ",") {
			t.Errorf("data %q, error %v", data, err)
		}
	})
}
