//go:build linux

package image

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// twoPlatforms is an index of amd64 and arm64 whose first layer is the same.
func twoPlatforms(t *testing.T) v1.ImageIndex {
	t.Helper()
	common := layer(t, file{name: "common", body: strings.Repeat("c", 4096)})
	arm, err := mutate.AppendLayers(armImage(t), common)
	if err != nil {
		t.Fatal(err)
	}
	return mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: imageOf(t, v1.Config{}, common, layer(t, file{name: "a", body: "amd"})), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}},
		mutate.IndexAddendum{Add: arm, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64"}}})
}

// bothPulled pulls both platforms of it.
func bothPulled(t *testing.T, s *Service, h *hub) (ref string) {
	t.Helper()
	ref = h.pushIndex(t, "both:1", twoPlatforms(t))
	for _, p := range []string{"linux/amd64", "linux/arm64"} {
		p := platformOf(p)
		if err := s.ImagePull(context.Background(), ref, &p, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	return ref
}

func TestRemoveOnePlatform(t *testing.T) {
	ctx := context.Background()
	h, s := newHub(t), open(t, amd64)
	ref := bothPulled(t, s, h)
	arm, amd, s390 := platformOf("linux/arm64"), platformOf("linux/amd64"), platformOf("linux/s390x")
	in, err := s.ImageInspect(ctx, ref, &arm, false)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := s.ImageInspect(ctx, ref, nil, true)
	if err != nil || whole.ID == in.ID || in.ID != in.Descriptor.Digest.String() || in.Architecture != "arm64" || len(whole.Manifests) != 2 ||
		!whole.Manifests[0].Available || !whole.Manifests[1].Available || whole.Manifests[1].Size.Total <= whole.Manifests[1].Size.Content-1 {
		t.Fatalf("inspect: %+v, %+v, %v", whole, in, err)
	}
	if _, err := s.ImageRemovePlatforms(ctx, ref, false, []ocispec.Platform{arm}); errdefs.KindOf(err) != errdefs.KindInvalid ||
		err.Error() != "Content will be removed from all images referencing this variant. Use —-force to force delete." {
		t.Errorf("without force: %v", err)
	}
	if _, err := s.ImageRemovePlatforms(ctx, ref, true, []ocispec.Platform{s390}); errdefs.KindOf(err) != errdefs.KindNotFound {
		t.Errorf("of a platform that is not there: %v", err)
	}
	out, err := s.ImageRemovePlatforms(ctx, ref, true, []ocispec.Platform{arm})
	if err != nil || len(out) != 1 || out[0].Deleted != in.ID {
		t.Fatalf("removal: %+v, %v", out, err)
	}
	if err := s.Collect(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ImageInspect(ctx, ref, &arm, false); errdefs.KindOf(err) != errdefs.KindNotFound {
		t.Errorf("it is still there: %v", err)
	}
	if _, err := s.ImageRemovePlatforms(ctx, ref, true, []ocispec.Platform{arm}); errdefs.KindOf(err) != errdefs.KindNotFound {
		t.Errorf("a second time: %v", err)
	}
	root := mounted(t, s, ref, "c") // the layer that both have is still there
	if got := read(t, root, "a"); got != "amd" || len(read(t, root, "common")) != 4096 {
		t.Errorf("the other platform has a = %q", got)
	}
	if err := s.ImageSave(ctx, []string{ref}, &amd, nullWriter{}, nil); err != nil {
		t.Errorf("saving the other: %v", err)
	}
	again := platformOf("linux/arm64")
	if err := s.ImagePull(ctx, ref, &again, nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ImageInspect(ctx, ref, &arm, false); err != nil {
		t.Errorf("pulled again: %v", err)
	}
}

func TestSaveOfAPlatformThatIsNotThere(t *testing.T) {
	ctx := context.Background()
	h, s := newHub(t), open(t, amd64)
	one := pulled(t, h, s, "sa/ve:1", layer(t, file{name: "a", body: "x"})) // of one platform, without an index
	many := bothPulled(t, s, h)
	s390, amd := platformOf("linux/s390x"), platformOf("linux/amd64")
	for _, refs := range [][]string{{one}, {many}, {many, one}} {
		var out bytes.Buffer
		err := s.ImageSave(ctx, refs, &s390, &out, nil)
		want := "no suitable export target found for platform linux/s390x: image with reference " + refs[0] + " was found but does not provide the specified platform (linux/s390x)"
		if errdefs.KindOf(err) != errdefs.KindNotFound || err.Error() != want || out.Len() != 0 {
			t.Errorf("%v: %v after %d bytes", refs, err, out.Len())
		}
		if err := s.ImageSave(ctx, refs, &amd, &out, nil); err != nil || out.Len() == 0 {
			t.Errorf("%v of a platform that is there: %v, %d bytes", refs, err, out.Len())
		}
	}
}

type nullWriter struct{}

func (nullWriter) Write(b []byte) (int, error) { return len(b), nil }

func TestLoadOnePlatform(t *testing.T) {
	ctx := context.Background()
	h, a, b := newHub(t), open(t, amd64), open(t, amd64)
	ref := bothPulled(t, a, h)
	var tarred bytes.Buffer
	if err := a.ImageSave(ctx, []string{ref}, nil, &tarred, nil); err != nil {
		t.Fatal(err)
	}
	s390 := platformOf("linux/s390x")
	err := b.ImageLoad(ctx, bytes.NewReader(tarred.Bytes()), &s390, true, nil, nil)
	if errdefs.KindOf(err) != errdefs.KindNotFound || err.Error() != "image "+ref+" was loaded, but doesn't provide the requested platform (linux/s390x)" {
		t.Errorf("of a platform that is not there: %v", err)
	}
	if list, err := b.ImageList(ctx, ListOptions{}); err != nil || len(list) > 0 {
		t.Errorf("it left %+v, %v", list, err)
	}
	arm, amd := platformOf("linux/arm64"), platformOf("linux/amd64")
	if err := b.ImageLoad(ctx, bytes.NewReader(tarred.Bytes()), &arm, true, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := b.Collect(ctx); err != nil {
		t.Fatal(err)
	}
	if in, err := b.ImageInspect(ctx, ref, &arm, true); err != nil || in.Architecture != "arm64" {
		t.Errorf("inspect: %+v, %v", in, err)
	}
	if _, err := b.ImageInspect(ctx, ref, &amd, false); errdefs.KindOf(err) != errdefs.KindNotFound {
		t.Errorf("the other platform is there too: %v", err)
	}
	list, err := b.ImageList(ctx, ListOptions{Manifests: true})
	if err != nil || len(list) != 1 || len(list[0].Manifests) != 2 || list[0].Manifests[0].Available || !list[0].Manifests[1].Available ||
		list[0].Manifests[0].ImageData.Platform.Architecture != "amd64" {
		t.Errorf("list: %+v, %v", list, err)
	}
	part, err := b.Resolve(ctx, ref, &arm)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.sn.Stat(b.ctx(ctx), part.ChainID); err != nil {
		t.Errorf("it is not unpacked: %v", err)
	}
}

// What is the beginning of an image's ID is saved without a name, also where a name is written the same.
func TestSaveByTheBeginningOfAnID(t *testing.T) {
	ctx := context.Background()
	h, s := newHub(t), open(t, amd64)
	ref := pulled(t, h, s, "some:1", layer(t, file{name: "a", body: "x"}))
	img, err := s.Resolve(ctx, ref, nil)
	if err != nil {
		t.Fatal(err)
	}
	id := strings.TrimPrefix(img.ID, "sha256:")[:8]
	for _, name := range []string{id, "cafe"} {
		if err := s.ImageTag(ctx, ref, name+":latest"); err != nil {
			t.Fatal(err)
		}
	}
	for name, named := range map[string]bool{id: false, img.ID: false, "cafe": !strings.HasPrefix(id, "cafe"), ref: true} {
		var out bytes.Buffer
		if err := s.ImageSave(ctx, []string{name}, nil, &out, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(out.String(), `"RepoTags":["`) != named {
			t.Errorf("%s: a name is in the archive: %v", name, !named)
		}
	}
}
