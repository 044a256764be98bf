//go:build linux

package image

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sys/unix"
)

// Each of these layers tries to reach a file outside the directory that it is unpacked to. Whatever becomes of the
// pull, the file outside stays as it was, and a failed pull leaves no half layer behind.
func TestHostileLayersStayInside(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "victim")
	up := strings.Repeat("../", 20)
	link := func(name, to string) file { return file{name: name, link: to, kind: tar.TypeSymlink} }
	hard := func(name, to string) file { return file{name: name, link: to, kind: tar.TypeLink} }
	whole := strings.TrimPrefix(outside, "/")
	for name, files := range map[string][]file{
		"dot dot":                     {{name: up + whole, body: "owned"}},
		"absolute":                    {{name: outside, body: "owned"}},
		"dot dot in the middle":       {dir("a"), {name: "a/" + up + whole, body: "owned"}},
		"symlink then file":           {link("l", filepath.Dir(outside)), {name: "l/victim", body: "owned"}},
		"relative symlink then file":  {link("l", up+filepath.Dir(whole)), {name: "l/victim", body: "owned"}},
		"symlink to root then file":   {link("l", "/"), {name: "l/" + whole, body: "owned"}},
		"symlink as the file":         {link("l", outside), {name: "l", body: "owned"}},
		"chain of symlinks":           {link("a", "/"), link("b", "a/"+filepath.Dir(whole)), {name: "b/victim", body: "owned"}},
		"hard link outside":           {hard("h", outside), {name: "h", body: "owned"}},
		"hard link up":                {hard("h", up+whole)},
		"hard link through a symlink": {link("l", filepath.Dir(outside)), hard("h", "l/victim")},
		"whiteout of dot dot":         {dir("a"), {name: "a/.wh..."}, {name: "a/.wh..", body: ""}},
		"whiteout through a symlink":  {link("l", filepath.Dir(outside)), {name: "l/.wh.victim"}},
		"opaque through a symlink":    {link("l", filepath.Dir(outside)), {name: "l/.wh..wh..opq"}},
		"device instead of parent":    {{name: "d", kind: tar.TypeChar}, {name: "d/x", body: "owned"}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(outside, []byte("untouched"), 0o600); err != nil {
				t.Fatal(err)
			}
			h, s := newHub(t), open(t, amd64)
			ref := h.push(t, "evil:1", imageOf(t, v1.Config{}, layer(t, file{name: "ok", body: "1"}), layer(t, files...)))
			err := s.ImagePull(context.Background(), ref, nil, nil, nil)
			if got := read(t, outside); got != "untouched" {
				t.Fatalf("the file outside became %q", got)
			}
			fi, serr := os.Stat(outside)
			if serr != nil || fi.Mode().Perm() != 0o600 {
				t.Fatalf("the file outside has mode %v (%v)", fi.Mode(), serr)
			}
			if st := new(unix.Stat_t); unix.Stat(outside, st) != nil || st.Nlink != 1 {
				t.Fatalf("the file outside has %d links", st.Nlink)
			}
			if err != nil {
				noHalfLayers(t, s)
			}
		})
	}
}

// noHalfLayers checks that nothing is being unpacked.
func noHalfLayers(t *testing.T, s *Service) {
	t.Helper()
	ctx := context.Background()
	if err := s.Collect(ctx); err != nil {
		t.Fatal(err)
	}
	if names := snapshotsOf(t, s, extractPrefix); len(names) > 0 {
		t.Errorf("half unpacked snapshots are left: %v", names)
	}
}

func TestLaterEntriesOfTheSameNameWin(t *testing.T) {
	h, s := newHub(t), open(t, amd64)
	ref := h.push(t, "dup:1", imageOf(t, v1.Config{}, layer(t,
		file{name: "a", body: "first"}, file{name: "./a", body: "second"}, dir("d"), file{name: "d/x", body: "x"}, file{name: "d", body: "now a file"})))
	if err := s.ImagePull(context.Background(), ref, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	root := mounted(t, s, ref, "c")
	if got := read(t, root, "a"); got != "second" {
		t.Errorf("a = %q", got)
	}
	if got := read(t, root, "d"); got != "now a file" {
		t.Errorf("d = %q", got)
	}
}

func TestLayersCannotSteerOverlay(t *testing.T) {
	h, s := newHub(t), open(t, amd64)
	ref := h.push(t, "steer:1", imageOf(t, v1.Config{},
		layer(t, dir("d"), file{name: "d/below", body: "1"}),
		layer(t, file{name: "d/", kind: tar.TypeDir, mode: 0o755, pax: map[string]string{
			"SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.trusted.overlay.redirect": "/etc", "SCHILY.xattr.user.kept": "v",
		}})))
	if err := s.ImagePull(context.Background(), ref, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	root := mounted(t, s, ref, "c")
	if got := read(t, root, "d/below"); got != "1" {
		t.Errorf("d/below = %q: the layer made its directory opaque by itself", got)
	}
	buf := make([]byte, 10)
	if n, err := unix.Lgetxattr(filepath.Join(root, "d"), "user.kept", buf); err == nil && string(buf[:n]) != "v" {
		t.Errorf("user.kept = %q", buf[:n])
	}
}

func TestLayerSizeIsBounded(t *testing.T) {
	h := newHub(t)
	s := open(t, amd64, func(c *Config) { c.MaxLayerBytes = 1 << 20 })
	ref := h.push(t, "bomb:1", imageOf(t, v1.Config{}, layer(t, file{name: "zeros", body: string(make([]byte, 8<<20))})))
	err := s.ImagePull(context.Background(), ref, nil, nil, nil)
	if err == nil || !strings.Contains(err.Error(), "larger than allowed") {
		t.Fatalf("error = %v", err)
	}
	noHalfLayers(t, s)
}

func TestHugeAttributesAreAnErrorOrKept(t *testing.T) {
	h, s := newHub(t), open(t, amd64)
	ref := h.push(t, "xattr:1", imageOf(t, v1.Config{}, layer(t, file{name: "a", body: "x", pax: map[string]string{
		"SCHILY.xattr.user.big": strings.Repeat("v", 200<<10),
	}})))
	if err := s.ImagePull(context.Background(), ref, nil, nil, nil); err == nil {
		read(t, mounted(t, s, ref, "c"), "a")
		return
	}
	noHalfLayers(t, s)
}

func TestBrokenStreamsAreRefused(t *testing.T) {
	whole := gz(t, tarOf(t, file{name: "a", body: strings.Repeat("text ", 10000)}))
	for name, blob := range map[string][]byte{
		"cut gzip":   whole[:len(whole)/2],
		"bad gzip":   append([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3}, bytes.Repeat([]byte{0xff}, 100)...),
		"not a tar":  []byte(strings.Repeat("what is this", 1000)),
		"bad zstd":   append([]byte{0x28, 0xb5, 0x2f, 0xfd}, bytes.Repeat([]byte{0xee}, 100)...),
		"wide zstd":  {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 0x01, 0x00, 0x00},
		"cut header": whole[:5],
	} {
		t.Run(name, func(t *testing.T) {
			h, s := newHub(t), open(t, amd64)
			ref := h.push(t, "broken:1", imageOf(t, v1.Config{}, rawLayer{static.NewLayer(blob, types.DockerLayer), []byte("x")}))
			if err := s.ImagePull(context.Background(), ref, nil, nil, nil); err == nil {
				t.Fatal("a broken layer was taken")
			}
			noHalfLayers(t, s)
		})
	}
}

// An image that carries the names of containerd's and berth's own labels gains nothing by them.
func TestImageLabelsAreNoControlInput(t *testing.T) {
	h, s := newHub(t), open(t, amd64)
	marks := map[string]string{
		"containerd.io/gc.root": "1", "containerd.io/gc.ref.content.x": "sha256:" + strings.Repeat("0", 64),
		"containerd.io/snapshot/uidmapping": "0:1000:1", "containerd.io/gc.expire": "2000-01-01T00:00:00Z",
	}
	img := imageOf(t, v1.Config{Labels: marks}, layer(t, file{name: "a", body: "x"}))
	img = mutate.Annotations(img, marks).(v1.Image)
	ref := h.push(t, "marks:1", img)
	ctx := s.ctx(context.Background())
	if err := s.ImagePull(ctx, ref, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	for _, l := range labelsOf(t, s) {
		for k := range marks {
			if _, ok := l[k]; ok && k != "containerd.io/gc.ref.content.x" || l["containerd.io/gc.ref.content.x"] != "" {
				t.Errorf("label %s of the image became one of the store", k)
			}
		}
	}
	if _, err := s.ImageRemove(ctx, ref, false, false); err != nil {
		t.Fatal(err)
	}
	if err := s.Collect(ctx); err != nil {
		t.Fatal(err)
	}
	if n, err := s.DiskUsage(ctx); err != nil || n != 0 {
		t.Errorf("%d bytes are left after the removal (%v)", n, err)
	}
}

// A sparse file is small on its way and as large as it claims when it is unpacked: the bound counts what is written.
func TestSparseFilesAreBounded(t *testing.T) {
	h := newHub(t)
	s := open(t, amd64, func(c *Config) { c.MaxLayerBytes = 1 << 20 })
	whole := sparseTar(t, 64<<20)
	ref := h.push(t, "sparse:1", imageOf(t, v1.Config{}, rawLayer{static.NewLayer(gz(t, whole), types.DockerLayer), whole}))
	if err := s.ImagePull(context.Background(), ref, nil, nil, nil); err == nil || !strings.Contains(err.Error(), "larger than allowed") {
		t.Fatalf("error = %v", err)
	}
	noHalfLayers(t, s)
}

// sparseTar is an archive with one file of size bytes, of which only the last is stored (GNU's format 1.0 of pax).
func sparseTar(t *testing.T, size int64) []byte {
	t.Helper()
	records := ""
	for _, r := range []string{"GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=sparse", fmt.Sprintf("GNU.sparse.realsize=%d", size)} {
		n := len(r) + 4 // a blank, a newline and two digits
		records += fmt.Sprintf("%d %s\n", n, r)
	}
	body := make([]byte, 513)
	copy(body, fmt.Sprintf("1\n%d\n1\n", size-1))
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, content := range [][]byte{[]byte(records), body} {
		if err := w.WriteHeader(&tar.Header{Name: "sparse", Typeflag: tar.TypeReg, Size: int64(len(content)), Mode: 0o644, Format: tar.FormatUSTAR}); err != nil {
			t.Fatal(err)
		}
		w.Write(content)
	}
	w.Close()
	// The first entry is made a pax header, which archive/tar does not write by itself.
	out := b.Bytes()
	out[156] = 'x'
	copy(out[148:156], "        ")
	sum := 0
	for _, c := range out[:512] {
		sum += int(c)
	}
	copy(out[148:], fmt.Sprintf("%06o\x00 ", sum))
	return out
}
