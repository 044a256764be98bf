//go:build linux

package image

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/mount"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/berthhq/berth/internal/errdefs"
)

// What a container has changed becomes a layer over its image's, and the image can be run, saved and removed.
func TestMakeOfAContainersChanges(t *testing.T) {
	ctx := context.Background()
	h, s := newHub(t), open(t, amd64)
	ref := h.push(t, "lib/base:1", imageOf(t, v1.Config{Cmd: []string{"/run"}},
		layer(t, dir("etc"), file{name: "etc/keep", body: "kept"}, file{name: "etc/gone", body: "x"}), layer(t, file{name: "run", body: "#!", mode: 0o755})))
	if err := s.ImagePull(ctx, ref, nil, nil, io.Discard); err != nil {
		t.Fatal(err)
	}
	root := mounted(t, s, ref, "c1")
	for _, err := range []error{
		os.WriteFile(filepath.Join(root, "etc/new"), []byte("new"), 0o640), os.Remove(filepath.Join(root, "etc/gone")),
		os.WriteFile(filepath.Join(root, "secret"), nil, 0o600), os.Symlink("/etc/new", filepath.Join(root, "link")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := mount.UnmountAll(root, 0); err != nil {
		t.Fatal(err)
	}
	base, err := s.Resolve(ctx, ref, nil)
	if err != nil {
		t.Fatal(err)
	}
	draft := Draft{Base: base, Name: "made:2", Config: base.Config.Config, History: ocispec.History{Comment: "why", Author: "me"},
		Layer: func(ctx context.Context, w io.Writer) error {
			return s.WriteDiff(ctx, base, filepath.Join(s.layout.Containers(), "c1"), func(name string) bool { return name == "/secret" }, w)
		}}
	id, err := s.Make(ctx, draft)
	if err != nil {
		t.Fatal(err)
	}
	img, err := s.Resolve(ctx, "made:2", nil)
	if err != nil || img.ID != id {
		t.Fatalf("%+v, %v; want %s", img, err, id)
	}
	if n := len(img.Config.History); n == 0 || img.Config.History[n-1].Comment != "why" || img.Config.Author != "me" || img.Config.Config.Cmd[0] != "/run" {
		t.Errorf("the configuration is %+v", img.Config)
	}
	made := mounted(t, s, "made:2", "c2")
	if got := read(t, made, "etc/new") + read(t, made, "etc/keep"); got != "newkept" {
		t.Errorf("the files are %q", got)
	}
	for _, gone := range []string{"etc/gone", "secret"} {
		if _, err := os.Lstat(filepath.Join(made, gone)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", gone, err)
		}
	}
	if err := s.ImageSave(ctx, []string{"made:2"}, nil, io.Discard, nil); err != nil {
		t.Error(err)
	}
}

func TestMakeThatFailsLeavesNothing(t *testing.T) {
	ctx := context.Background()
	s := open(t, amd64)
	boom := errors.New("boom")
	if _, err := s.Make(ctx, Draft{Name: "x:1", Layer: func(context.Context, io.Writer) error { return boom }}); !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Make(ctx, Draft{Name: "NOT A NAME"}); errdefs.KindOf(err) != errdefs.KindInvalid {
		t.Errorf("got %v", err)
	}
	left, err := s.content.ListStatuses(s.ctx(ctx))
	if err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	if err := s.content.Walk(s.ctx(ctx), func(info content.Info) error { t.Errorf("%s is left", info.Digest); return nil }); err != nil {
		t.Error(err)
	}
}
