//go:build linux

package image

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"
)

func TestResolve(t *testing.T) {
	ctx := context.Background()
	h, s := newHub(t), open(t, amd64)
	ref := pulled(t, h, s, "res/olve:1", layer(t, file{name: "a", body: "x"}))
	img, err := s.Resolve(ctx, ref, nil)
	if err != nil {
		t.Fatal(err)
	}
	hex := strings.TrimPrefix(img.ID, "sha256:")
	for _, in := range []string{ref, img.ID, hex, hex[:12], hex[:4], "sha256:" + hex[:8], strings.TrimSuffix(ref, ":1") + "@" + img.ID} {
		got, err := s.Resolve(ctx, in, nil)
		if err != nil || got.ID != img.ID {
			t.Errorf("Resolve(%q) = %v, %v", in, got, err)
		}
	}
	for in, want := range map[string]string{
		"absent":                    "No such image: absent:latest",
		"absent:7":                  "No such image: absent:7",
		"sha256:0000":               "No such image: sha256:0000",
		h.host + "/other@" + img.ID: "No such image: " + h.host + "/other@" + img.ID,
		"Not/Valid:$":               "invalid reference format",
	} {
		if _, err := s.Resolve(ctx, in, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Resolve(%q): %v, want %s", in, err, want)
		}
	}
	arm := platformOf("linux/arm64")
	if _, err := s.Resolve(ctx, ref, &arm); errdefs.KindOf(err) != errdefs.KindNotFound {
		t.Errorf("Resolve for another platform: %v", err)
	}
}

func TestResolveIsForgottenWhenTheTagMoves(t *testing.T) {
	ctx := context.Background()
	h, s := newHub(t), open(t, amd64)
	ref := pulled(t, h, s, "move:1", layer(t, file{name: "a", body: "old"}))
	before, err := s.Resolve(ctx, ref, nil)
	if err != nil {
		t.Fatal(err)
	}
	pulled(t, h, s, "move:1", layer(t, file{name: "a", body: "new"}))
	after, err := s.Resolve(ctx, ref, nil)
	if err != nil || after.ID == before.ID {
		t.Fatalf("after the tag moved: %v, %v", after, err)
	}
	if got := read(t, mounted(t, s, ref, "c"), "a"); got != "new" {
		t.Errorf("a = %q", got)
	}
	// The old image is dangling, and can be run by its ID.
	old, err := s.Resolve(ctx, before.ID, nil)
	if err != nil || old.Ref != before.ID {
		t.Errorf("the old image: %v, %v", old, err)
	}
	list, err := s.ImageList(ctx, ListOptions{Filters: filters("dangling", "true")})
	if err != nil || len(list) != 1 || list[0].ID != before.ID || len(list[0].RepoTags) != 0 {
		t.Errorf("dangling images: %+v, %v", list, err)
	}
}

func filters(kv ...string) map[string]map[string]bool {
	f := map[string]map[string]bool{}
	for i := 0; i < len(kv); i += 2 {
		if f[kv[i]] == nil {
			f[kv[i]] = map[string]bool{}
		}
		f[kv[i]][kv[i+1]] = true
	}
	return f
}

// aged is an image made at a time, with a label.
func aged(t *testing.T, label string, at time.Time, body string) v1.Image {
	t.Helper()
	img := imageOf(t, v1.Config{Labels: map[string]string{"who": label}}, layer(t, file{name: "a", body: body}))
	img, err := mutate.CreatedAt(img, v1.Time{Time: at})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestListFilters(t *testing.T) {
	ctx := context.Background()
	h, s := newHub(t), open(t, amd64)
	now := time.Now().UTC().Truncate(time.Second)
	for i, n := range []string{"old", "mid", "new"} {
		ref := h.push(t, "list/"+n+":v"+fmt.Sprint(i), aged(t, n, now.Add(time.Duration(i-3)*time.Hour), n))
		if err := s.ImagePull(ctx, ref, nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		if err := s.ImageTag(ctx, ref, n+":local"); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		f    map[string]map[string]bool
		want string
	}{
		{nil, "new mid old"},
		{filters("reference", "mid"), "mid"},
		{filters("reference", "*:local"), "new mid old"},
		{filters("reference", h.host+"/list/*"), "new mid old"},
		{filters("reference", "mid", "reference", "old:local"), "mid old"},
		{filters("label", "who"), "new mid old"},
		{filters("label", "who=mid"), "mid"},
		{filters("label!", "who=mid"), "new old"},
		{filters("label", "who=mid", "reference", "old"), ""},
		{filters("before", "mid:local"), "old"},
		{filters("since", "mid:local"), "new"},
		{filters("until", "90m"), "mid old"},
		{filters("until", now.Add(-150*time.Minute).Format(time.RFC3339)), "old"},
		{filters("dangling", "true"), ""},
		{filters("dangling", "false"), "new mid old"},
	} {
		list, err := s.ImageList(ctx, ListOptions{Filters: tt.f})
		if err != nil {
			t.Errorf("%v: %v", tt.f, err)
		}
		var got []string
		for _, i := range list {
			got = append(got, i.Labels["who"])
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("filter %v: %v, want %s", tt.f, got, tt.want)
		}
	}
	for _, bad := range []map[string]map[string]bool{
		filters("colour", "red"), filters("dangling", "perhaps"), filters("until", "yesterday"), filters("reference", "[")} {
		if _, err := s.ImageList(ctx, ListOptions{Filters: bad}); errdefs.KindOf(err) != errdefs.KindInvalid {
			t.Errorf("filter %v: %v", bad, err)
		}
	}
	list, err := s.ImageList(ctx, ListOptions{Filters: filters("reference", "mid")})
	if err != nil || len(list) != 1 || len(list[0].RepoTags) != 1 || len(list[0].RepoDigests) != 1 || !strings.HasPrefix(list[0].RepoDigests[0], "mid@sha256:") {
		t.Errorf("by one of its names: %+v, %v", list, err)
	}
	list, err = s.ImageList(ctx, ListOptions{SharedSize: true, Manifests: true})
	if err != nil || len(list) != 3 {
		t.Fatalf("list: %v, %v", list, err)
	}
	mid := list[1]
	if mid.Size <= 0 || mid.Created != now.Add(-2*time.Hour).Unix() || len(mid.RepoTags) != 2 || len(mid.RepoDigests) != 2 || len(mid.Manifests) != 1 {
		t.Errorf("summary = %+v", mid)
	}
}

func TestInspectAndHistory(t *testing.T) {
	ctx := context.Background()
	h, s := newHub(t), open(t, amd64)
	ref := pulled(t, h, s, "insp:1", layer(t, file{name: "a", body: strings.Repeat("x", 5000)}))
	in, err := s.ImageInspect(ctx, ref, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	if in.Os != "linux" || in.Architecture != "amd64" || len(in.RootFS.Layers) != 1 || in.Config == nil || in.RepoTags[0] != ref ||
		len(in.Manifests) != 1 || !in.Manifests[0].Available || in.Size < 5000 {
		t.Errorf("inspect = %+v", in)
	}
	hist, err := s.ImageHistory(ctx, ref, nil)
	if err != nil || len(hist) != 1 || hist[0].ID != in.ID || hist[0].Size < 5000 || hist[0].Tags[0] != ref {
		t.Errorf("history = %+v, %v", hist, err)
	}
	if _, err := s.ImageInspect(ctx, "nope", nil, false); errdefs.KindOf(err) != errdefs.KindNotFound {
		t.Errorf("inspect of nothing: %v", err)
	}
}

func TestRemove(t *testing.T) {
	ctx := context.Background()
	h, s := newHub(t), open(t, amd64)
	ref := pulled(t, h, s, "rm:1", layer(t, file{name: "a", body: "x"}))
	img, err := s.Resolve(ctx, ref, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ImageTag(ctx, ref, "second:name"); err != nil {
		t.Fatal(err)
	}
	hex := strings.TrimPrefix(img.ID, "sha256:")
	if _, err := s.ImageRemove(ctx, hex[:12], false, false); err == nil ||
		err.Error() != "conflict: unable to delete "+hex[:12]+" (must be forced) - image is referenced in multiple repositories" {
		t.Errorf("remove by ID with two repositories: %v", err)
	}
	out, err := s.ImageRemove(ctx, "second:name", false, false)
	if err != nil || len(out) != 1 || out[0].Untagged != "second:name" {
		t.Errorf("untag: %v, %v", out, err)
	}
	user := strings.Repeat("c0ffee", 10)
	s.SetUsers(func(id string) []string {
		if id == img.ID {
			return []string{user}
		}
		return nil
	})
	if err := s.ImageTag(ctx, ref, "third:name"); err != nil {
		t.Fatal(err)
	}
	if out, err := s.ImageRemove(ctx, "third@"+img.ID, false, false); err != nil || len(out) != 1 || out[0].Untagged != "third:name" {
		t.Errorf("remove by digest: %v, %v", out, err)
	}
	s.cfg.Running = func(id string) bool { return id == user }
	if _, err := s.ImageRemove(ctx, hex[:12], true, false); err == nil ||
		err.Error() != "conflict: unable to delete "+hex[:12]+" (cannot be forced) - image is being used by running container "+user[:12] {
		t.Errorf("remove by ID under a running container: %v", err)
	}
	s.cfg.Running = nil
	want := fmt.Sprintf("conflict: unable to delete %s (must be forced) - container %s is using its referenced image %s", ref, user[:12], hex[:12])
	if _, err := s.ImageRemove(ctx, ref, false, false); err == nil || err.Error() != want || errdefs.KindOf(err) != errdefs.KindConflict {
		t.Errorf("remove of a used image: %v\nwant %s", err, want)
	}
	if _, err := s.ImageRemove(ctx, img.ID, false, false); errdefs.KindOf(err) != errdefs.KindConflict {
		t.Errorf("remove of a used image by ID: %v", err)
	}
	out, err = s.ImageRemove(ctx, ref, true, false)
	if err != nil || len(out) != 1 || out[0].Untagged != ref {
		t.Errorf("forced: %v, %v", out, err)
	}
	if _, err := s.Resolve(ctx, img.ID, nil); err != nil {
		t.Errorf("a used image must stay reachable by ID: %v", err)
	}
	s.SetUsers(nil)
	report, err := s.ImagePrune(ctx, nil)
	if err != nil || len(report.ImagesDeleted) != 1 || report.ImagesDeleted[0].Deleted != img.ID || report.SpaceReclaimed == 0 {
		t.Errorf("prune: %+v, %v", report, err)
	}
	if _, err := s.ImageRemove(ctx, ref, false, false); errdefs.KindOf(err) != errdefs.KindNotFound || err.Error() != "No such image: "+ref {
		t.Errorf("remove of nothing: %v", err)
	}
	if n, err := s.DiskUsage(ctx); n != 0 || err != nil {
		t.Errorf("%d bytes left, %v", n, err)
	}
}

func TestPruneAllLeavesUsedImages(t *testing.T) {
	ctx := context.Background()
	h, s := newHub(t), open(t, amd64)
	used := pulled(t, h, s, "used:1", layer(t, file{name: "a", body: "used"}))
	pulled(t, h, s, "spare:1", layer(t, file{name: "a", body: "spare"}))
	img, err := s.Resolve(ctx, used, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.SetUsers(func(id string) []string {
		if id == img.ID {
			return []string{"x"}
		}
		return nil
	})
	if r, err := s.ImagePrune(ctx, filters("dangling", "true")); err != nil || len(r.ImagesDeleted) != 0 {
		t.Errorf("prune of dangling images: %+v, %v", r, err)
	}
	if r, err := s.ImagePrune(ctx, filters("dangling", "false")); err != nil || len(r.ImagesDeleted) != 2 {
		t.Errorf("prune of all: %+v, %v", r, err)
	}
	if list, err := s.ImageList(ctx, ListOptions{}); err != nil || len(list) != 1 || list[0].ID != img.ID {
		t.Errorf("left: %+v, %v", list, err)
	}
	if _, err := s.ImagePrune(ctx, filters("color", "x")); errdefs.KindOf(err) != errdefs.KindInvalid {
		t.Errorf("unknown filter: %v", err)
	}
}

func TestLoadDockerArchive(t *testing.T) {
	ctx := context.Background()
	s := open(t, amd64)
	img := imageOf(t, v1.Config{Cmd: []string{"/x"}}, layer(t, file{name: "x", body: "one"}), layer(t, file{name: "y", body: "two"}))
	tag, err := name.NewTag("loaded:v1")
	if err != nil {
		t.Fatal(err)
	}
	var tarred bytes.Buffer
	if err := tarball.Write(tag, img, &tarred); err != nil {
		t.Fatal(err)
	}
	for form, in := range map[string]io.Reader{"plain": bytes.NewReader(tarred.Bytes()), "gzip": bytes.NewReader(gz(t, tarred.Bytes()))} {
		var out bytes.Buffer
		if err := s.ImageLoad(ctx, in, nil, false, &out, nil); err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		if !strings.Contains(out.String(), `{"stream":"Loaded image: loaded:v1\n"}`) {
			t.Errorf("%s: output %s", form, out.String())
		}
	}
	if got := read(t, mounted(t, s, "loaded:v1", "c"), "y"); got != "two" {
		t.Errorf("y = %q", got)
	}
}

func TestSaveAndLoadAgain(t *testing.T) {
	ctx := context.Background()
	h, a, b := newHub(t), open(t, amd64), open(t, amd64)
	idx := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: imageOf(t, v1.Config{}, layer(t, file{name: "a", body: "amd"})), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}},
		mutate.IndexAddendum{Add: armImage(t), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64"}}})
	multi := h.pushIndex(t, "multi:1", idx)
	single := pulled(t, h, a, "single:1", layer(t, file{name: "b", body: "single"}))
	if err := a.ImagePull(ctx, multi, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	var tarred bytes.Buffer
	if err := a.ImageSave(ctx, []string{multi, single}, nil, &tarred, nil); err != nil {
		t.Fatal(err)
	}
	if err := b.ImageLoad(ctx, bytes.NewReader(tarred.Bytes()), nil, true, nil, nil); err != nil {
		t.Fatal(err)
	}
	if got := read(t, mounted(t, b, multi, "m"), "a"); got != "amd" {
		t.Errorf("a = %q", got)
	}
	if got := read(t, mounted(t, b, single, "s"), "b"); got != "single" {
		t.Errorf("b = %q", got)
	}
	if err := b.ImageLoad(ctx, bytes.NewReader(tarred.Bytes()), nil, true, nil, nil); err != nil {
		t.Errorf("loaded once more: %v", err)
	}
	want, _ := a.Resolve(ctx, single, nil)
	got, err := b.Resolve(ctx, single, nil)
	if err != nil || got.ID != want.ID {
		t.Errorf("the loaded image is %v, saved was %v (%v)", got, want, err)
	}
	if err := a.ImageSave(ctx, []string{"nope"}, nil, io.Discard, nil); errdefs.KindOf(err) != errdefs.KindNotFound {
		t.Errorf("save of nothing: %v", err)
	}
}

func armImage(t *testing.T) v1.Image {
	t.Helper()
	img := imageOf(t, v1.Config{}, layer(t, file{name: "a", body: "arm"}))
	f, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	f = f.DeepCopy()
	f.Architecture = "arm64"
	img, err = mutate.ConfigFile(img, f)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestPlatformsOfAnIndex(t *testing.T) {
	ctx := context.Background()
	h, s := newHub(t), open(t, amd64)
	idx := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: armImage(t), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64"}}},
		mutate.IndexAddendum{Add: imageOf(t, v1.Config{}, layer(t, file{name: "a", body: "amd"})), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}})
	ref := h.pushIndex(t, "idx:1", idx)
	d, _ := idx.Digest()
	arm, s390 := platformOf("linux/arm64"), platformOf("linux/s390x")
	if err := s.ImagePull(ctx, ref, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	img, err := s.Resolve(ctx, ref, nil)
	if err != nil || img.ID != d.String() || img.Config.Architecture != "amd64" {
		t.Fatalf("Resolve = %+v, %v", img, err)
	}
	if _, err := s.Resolve(ctx, ref, &arm); err == nil || !strings.Contains(err.Error(), "does not provide the specified platform (linux/arm64)") {
		t.Errorf("arm64 before its pull: %v", err)
	}
	if err := s.ImagePull(ctx, ref, &arm, nil, nil); err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]string{"linux/amd64": "amd64", "linux/arm64": "arm64"} {
		pl := platformOf(p)
		if img, err := s.Resolve(ctx, ref, &pl); err != nil || img.Config.Architecture != want {
			t.Errorf("%s: %+v, %v", p, img, err)
		}
	}
	// Both stay after a collection: the second pull must not unlink the first.
	if err := s.Collect(ctx); err != nil {
		t.Fatal(err)
	}
	read(t, mounted(t, s, ref, "c"), "a")
	if err := s.ImagePull(ctx, ref, &s390, nil, nil); err == nil || err.Error() != "no matching manifest for linux/s390x in the manifest list entries" {
		t.Errorf("s390x: %v", err)
	}
	got, err := s.DistributionInspect(ctx, ref, nil)
	if err != nil || len(got.Platforms) != 2 || got.Descriptor.Digest.String() != d.String() {
		t.Errorf("distribution: %+v, %v", got, err)
	}
}

func TestZstdAndPlainLayers(t *testing.T) {
	h, s := newHub(t), open(t, amd64)
	plain := tarOf(t, file{name: "z", body: "zstd"})
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	raw := tarOf(t, file{name: "p", body: "plain"})
	ref := pulled(t, h, s, "zstd:1",
		rawLayer{static.NewLayer(enc.EncodeAll(plain, nil), types.OCILayerZStd), plain},
		rawLayer{static.NewLayer(raw, types.OCIUncompressedLayer), raw})
	root := mounted(t, s, ref, "c")
	if read(t, root, "z") != "zstd" || read(t, root, "p") != "plain" {
		t.Error("a layer is missing")
	}
}

func TestPushAndPullBack(t *testing.T) {
	ctx := context.Background()
	h, s := newHub(t), open(t, amd64)
	ref := pulled(t, h, s, "push/src:1", layer(t, file{name: "a", body: "x"}), layer(t, file{name: "b", body: "y"}))
	dst := h.host + "/push/dst:2"
	if err := s.ImageTag(ctx, ref, dst); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := s.ImagePush(ctx, dst, nil, nil, &out); err != nil {
		t.Fatal(err)
	}
	img, _ := s.Resolve(ctx, dst, nil)
	for _, want := range []string{"The push refers to repository [" + h.host + "/push/dst]", "2: digest: " + img.ID + " size: ", `"aux":{"Tag":"2","Digest":"` + img.ID} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("progress lacks %q:\n%s", want, out.String())
		}
	}
	other := open(t, amd64)
	if err := other.ImagePull(ctx, dst, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := s.ImagePush(ctx, dst, nil, nil, &out); err != nil || !strings.Contains(out.String(), "Layer already exists") {
		t.Errorf("second push: %v\n%s", err, out.String())
	}
	if err := s.ImagePush(ctx, h.host+"/absent", nil, nil, nil); err == nil || !strings.Contains(err.Error(), "An image does not exist locally with the tag: "+h.host+"/absent") || errdefs.KindOf(err) != errdefs.KindNotFound {
		t.Errorf("push of nothing: %v", err)
	}
	if err := s.ImagePush(ctx, h.host+"/push/dst:9", nil, nil, nil); err == nil || err.Error() != "tag does not exist: "+h.host+"/push/dst:9" {
		t.Errorf("push of a tag that is none: %v", err)
	}
}

func TestPushMountsAndIsRefused(t *testing.T) {
	ctx := context.Background()
	h, s := newHub(t), open(t, amd64)
	ref := pulled(t, h, s, "from/here:1", layer(t, noise(t, 1000)))
	dst := h.host + "/to/there:1"
	if err := s.ImageTag(ctx, ref, dst); err != nil {
		t.Fatal(err)
	}
	asked := ""
	h.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodHead && strings.Contains(r.URL.Path, "/to/there/blobs/") {
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		if r.Method == http.MethodPost && r.URL.Query().Get("mount") != "" {
			asked = r.URL.Query().Get("from")
			w.WriteHeader(http.StatusCreated)
			return true
		}
		return false
	})
	var out bytes.Buffer
	if err := s.ImagePush(ctx, dst, nil, nil, &out); err != nil || asked != "from/here" || !strings.Contains(out.String(), `"status":"Mounted from from/here"`) {
		t.Errorf("mount: %v, asked for %q\n%s", err, asked, out.String())
	}
	h.intercept(basic("a", "b"))
	if err := s.ImagePush(ctx, dst, nil, nil, nil); errdefs.KindOf(err) != errdefs.KindUnauthorized {
		t.Errorf("push without credentials: %v", err)
	}
}

// What is here already is not written again, but an archive that has other bytes under its digest is refused all the same.
func TestLoadComparesWhatIsHere(t *testing.T) {
	ctx := context.Background()
	h, s := newHub(t), open(t, amd64)
	ref := pulled(t, h, s, "known:1", layer(t, file{name: "a", body: "x"}))
	known, err := s.Resolve(ctx, ref, nil)
	if err != nil {
		t.Fatal(err)
	}
	forged := tarOf(t, file{name: "oci-layout", body: `{"imageLayoutVersion":"1.0.0"}`},
		file{name: "blobs/sha256/" + strings.TrimPrefix(known.ID, "sha256:"), body: "forged"})
	if err := s.ImageLoad(ctx, bytes.NewReader(forged), nil, true, nil, nil); errdefs.KindOf(err) != errdefs.KindInvalid {
		t.Errorf("a forged blob: %v", err)
	}
}

func TestTagRefusesBadNames(t *testing.T) {
	ctx := context.Background()
	h, s := newHub(t), open(t, amd64)
	ref := pulled(t, h, s, "tag:1", layer(t, file{name: "a", body: "x"}))
	for _, bad := range []string{"", "UP per", "a:b:c", "x@sha256:" + strings.Repeat("0", 64), strings.Repeat("0", 64)} {
		if err := s.ImageTag(ctx, ref, bad); errdefs.KindOf(err) != errdefs.KindInvalid {
			t.Errorf("tag %q: %v", bad, err)
		}
	}
	if err := s.ImageTag(ctx, "absent", "x"); errdefs.KindOf(err) != errdefs.KindNotFound {
		t.Errorf("tag of nothing: %v", err)
	}
}

func TestLoadRefusesBadArchives(t *testing.T) {
	s := open(t, amd64)
	ctx := context.Background()
	for name, files := range map[string][]file{
		"nothing in it":      {},
		"no manifest":        {{name: "x", body: "y"}},
		"config is missing":  {{name: "manifest.json", body: `[{"Config":"c.json","Layers":[]}]`}},
		"not JSON":           {{name: "manifest.json", body: `{`}},
		"wrong blob digest":  {{name: "oci-layout", body: `{"imageLayoutVersion":"1.0.0"}`}, {name: "blobs/sha256/" + strings.Repeat("a", 64), body: "x"}},
		"no digest at all":   {{name: "oci-layout", body: `{"imageLayoutVersion":"1.0.0"}`}, {name: "blobs/sha256/../x", body: "x"}, {name: "blobs/sha256/abc", body: "x"}},
		"index is missing":   {{name: "oci-layout", body: `{"imageLayoutVersion":"1.0.0"}`}},
		"version":            {{name: "oci-layout", body: `{"imageLayoutVersion":"9"}`}, {name: "index.json", body: "{}"}},
		"manifest is absent": {{name: "oci-layout", body: `{"imageLayoutVersion":"1.0.0"}`}, {name: "index.json", body: `{"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":3,"digest":"sha256:` + strings.Repeat("a", 64) + `"}]}`}},
		"link in a circle":   {{name: "manifest.json", body: `[{"Config":"a","Layers":[]}]`}, {name: "a", link: "b", kind: '2'}, {name: "b", link: "a", kind: '2'}},
		"config out of it":   {{name: "manifest.json", body: `[{"Config":"../../../etc/passwd","Layers":[]}]`}},
		"bad tag":            {{name: "c", body: `{"os":"linux","rootfs":{"type":"layers"}}`}, {name: "manifest.json", body: `[{"Config":"c","RepoTags":["UP CASE"],"Layers":[]}]`}},
	} {
		if err := s.ImageLoad(ctx, bytes.NewReader(tarOf(t, files...)), nil, true, nil, nil); errdefs.KindOf(err) != errdefs.KindInvalid {
			t.Errorf("%s: %v (%v)", name, err, errdefs.KindOf(err))
		}
	}
	if err := s.Collect(ctx); err != nil {
		t.Fatal(err)
	}
	if n, err := s.DiskUsage(ctx); n != 0 || err != nil {
		t.Errorf("%d bytes left by refused archives (%v)", n, err)
	}
}
