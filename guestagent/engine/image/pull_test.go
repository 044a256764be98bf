//go:build linux

package image

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/moby/api/types/registry"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func platformOf(s string) ocispec.Platform { return platforms.MustParse(s) }

// mounted mounts the root of a new container of an image.
func mounted(t *testing.T, s *Service, ref, id string) string {
	t.Helper()
	ctx := context.Background()
	img, err := s.Resolve(ctx, ref, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(s.layout.Containers(), id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Prepare(ctx, img, id, dir); err != nil {
		t.Fatal(err)
	}
	ms, err := s.Mounts(ctx, img, id, dir)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := mount.All(ms, root); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mount.UnmountAll(root, 0) })
	return root
}

func read(t *testing.T, parts ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPullUnpacksLayersInOrder(t *testing.T) {
	h, s := newHub(t), open(t, amd64)
	ref := h.push(t, "lib/app:1", imageOf(t, v1.Config{Cmd: []string{"/run"}},
		layer(t, dir("etc"), file{name: "etc/a", body: "one"}, file{name: "etc/gone", body: "x"}, dir("tmp"), file{name: "run", body: "#!", mode: 0o755}),
		layer(t, dir("etc"), file{name: "etc/a", body: "two"}, file{name: "etc/.wh.gone"}),
		layer(t, dir("srv"), file{name: "srv/z", body: "three", uid: 1000}),
	))
	var out bytes.Buffer
	if err := s.ImagePull(context.Background(), ref, nil, nil, &out); err != nil {
		t.Fatal(err)
	}
	root := mounted(t, s, ref, "c1")
	if got := read(t, root, "etc/a"); got != "two" {
		t.Errorf("etc/a = %q, want the upper layer's", got)
	}
	if _, err := os.Lstat(filepath.Join(root, "etc/gone")); !os.IsNotExist(err) {
		t.Errorf("etc/gone: %v, want it whited out", err)
	}
	if got := read(t, root, "srv/z"); got != "three" {
		t.Errorf("srv/z = %q", got)
	}
	for _, want := range []string{
		`{"status":"Pulling from lib/app","id":"1"}`, `"Pulling fs layer","progressDetail":{}`, `"Verifying Checksum"`,
		`"Download complete"`, `"Pull complete"`, `{"status":"Digest: sha256:`, `{"status":"Status: Downloaded newer image for ` + ref + `"}`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("progress lacks %s:\n%s", want, out.String())
		}
	}
	out.Reset()
	if err := s.ImagePull(context.Background(), ref, nil, nil, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "Status: Image is up to date for "+ref) {
		t.Errorf("second pull said:\n%s", out.String())
	}
}

// A layer that is unpacked already, but was compressed otherwise when it came: only its content is fetched.
func TestPullOfALayerThatIsUnpackedButNotHere(t *testing.T) {
	h, s := newHub(t), open(t, amd64)
	files := []file{dir("etc"), {name: "etc/a", body: strings.Repeat("the same in both ", 1000)}}
	first := h.push(t, "lib/one:1", imageOf(t, v1.Config{Cmd: []string{"/one"}}, layer(t, files...)))
	second := h.push(t, "lib/two:1", imageOf(t, v1.Config{Cmd: []string{"/two"}}, recompressed(t, files...)))
	for _, ref := range []string{first, second} {
		var out bytes.Buffer
		if err := s.ImagePull(context.Background(), ref, nil, nil, &out); err != nil {
			t.Fatalf("%s: %v\n%s", ref, err, out.String())
		}
	}
	if got := read(t, mounted(t, s, second, "c2"), "etc/a"); !strings.HasPrefix(got, "the same") {
		t.Errorf("the file is %q", got)
	}
	var tar bytes.Buffer
	if err := s.ImageSave(context.Background(), []string{second}, nil, &tar, nil); err != nil {
		t.Errorf("saving what was fetched: %v", err)
	}
}

func TestPullAllTags(t *testing.T) {
	ctx := context.Background()
	h, s := newHub(t), open(t, amd64)
	for i, tag := range []string{"1", "2"} {
		h.push(t, "all/tags:"+tag, imageOf(t, v1.Config{}, layer(t, file{name: "a", body: fmt.Sprint(i)})))
	}
	repo, err := reference.ParseNormalizedNamed(h.host + "/all/tags")
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	count := func(string) { told++ }
	if err := s.ImagePullAll(ctx, repo, nil, nil, nil, count); err != nil || told != 2 {
		t.Fatalf("%d are told, %v", told, err)
	}
	for _, tag := range []string{":1", ":2"} {
		if _, err := s.Resolve(ctx, repo.Name()+tag, nil); err != nil {
			t.Errorf("%s: %v", tag, err)
		}
	}
	absent, err := reference.ParseNormalizedNamed(h.host + "/all/absent")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ImagePullAll(ctx, absent, nil, nil, nil, count); errdefs.KindOf(err) != errdefs.KindNotFound {
		t.Errorf("of a repository that is none: %v", err)
	}
	h.intercept(basic("a", "b"))
	if err := s.ImagePullAll(ctx, repo, nil, nil, nil, count); err == nil {
		t.Error("without credentials it succeeds")
	}
	if err := s.ImagePullAll(ctx, repo, nil, &registry.AuthConfig{Username: "a", Password: "b", ServerAddress: h.host}, nil, count); err != nil {
		t.Errorf("with credentials: %v", err)
	}
}
