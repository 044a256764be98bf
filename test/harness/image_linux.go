package harness

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/moby/moby/client"
)

// Registry is a registry on 127.0.0.1.
type Registry struct{ Addr string }

// NewRegistry serves an empty registry until the test ends; a wrapper may stand before it.
func NewRegistry(t *testing.T, wrap func(http.Handler) http.Handler) *Registry {
	t.Helper()
	h := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	if wrap != nil {
		h = wrap(h)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	s.Start()
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return &Registry{Addr: l.Addr().String()}
}

// Push puts an image into the registry and gives its reference.
func (r *Registry) Push(t *testing.T, repo string, img v1.Image) string {
	t.Helper()
	ref, err := name.ParseReference(r.Addr+"/"+repo, name.Insecure)
	if err == nil {
		err = remote.Write(ref, img)
	}
	if err != nil {
		t.Fatal(err)
	}
	return ref.Name()
}

// Pull fetches an image and gives the error of the stream.
func (w *World) Pull(ref string) error {
	r, err := w.API.ImagePull(w.Ctx(), ref, client.ImagePullOptions{})
	if err != nil {
		return err
	}
	defer r.Close()
	return r.Wait(w.Ctx())
}

// Take pushes an image to the registry, pulls it and tags it with a short name.
func (w *World) Take(short string, img v1.Image) {
	w.Helper()
	ref := w.Registry.Push(w.T, short+":latest", img)
	w.Must(w.Pull(ref))
	w.Tag(ref, short)
}

// Tag names an image.
func (w *World) Tag(from, to string) {
	w.Helper()
	_, err := w.API.ImageTag(w.Ctx(), client.ImageTagOptions{Source: from, Target: to})
	w.Must(err)
}

// File is an entry of a layer: a regular file where Type is zero.
type File struct {
	Name, Link string
	Type       byte
	Mode       int64 // 0644 where zero, 0755 for a directory
	UID        int
	Body       []byte
	PAX        map[string]string
}

// Dir is a directory of a layer.
func Dir(name string) File { return File{Name: name, Type: tar.TypeDir} }

// Symlink is a symbolic link of a layer.
func Symlink(name, to string) File { return File{Name: name, Link: to, Type: tar.TypeSymlink} }

// Tar is an archive of files.
func Tar(t *testing.T, files ...File) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.Name, Linkname: f.Link, Typeflag: f.Type, Mode: f.Mode, Uid: f.UID, Size: int64(len(f.Body)), PAXRecords: f.PAX}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Mode == 0 && h.Typeflag == tar.TypeDir {
			h.Mode = 0o755
		} else if h.Mode == 0 {
			h.Mode = 0o644
		}
		err := w.WriteHeader(h)
		if err == nil {
			_, err = w.Write(f.Body)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Layer makes a layer of files.
func Layer(t *testing.T, files ...File) v1.Layer {
	t.Helper()
	b := Tar(t, files...)
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil },
		tarball.WithCompressionLevel(gzip.BestSpeed), tarball.WithCompressedCaching)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Image puts layers on another image, nil for none, and changes its configuration.
func Image(t *testing.T, from v1.Image, change func(*v1.Config), layers ...v1.Layer) v1.Image {
	t.Helper()
	if from == nil {
		from = empty.Image
	}
	img, err := mutate.AppendLayers(from, layers...)
	var c *v1.ConfigFile
	if err == nil {
		c, err = img.ConfigFile()
	}
	if err == nil {
		c = c.DeepCopy()
		c.OS, c.Architecture = "linux", runtime.GOARCH
		if change != nil {
			change(&c.Config)
		}
		img, err = mutate.ConfigFile(img, c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// BusyboxProgram is the machine's busybox, which must be static.
func BusyboxProgram(t *testing.T) []byte {
	t.Helper()
	path, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("no busybox on this machine (Debian: busybox-static)")
	}
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(body, []byte("/ld-linux")) {
		t.Skip("busybox is not static (Debian: busybox-static)")
	}
	return body
}

// base is the image of Busybox, made once.
var base struct {
	once sync.Once
	img  v1.Image
}

// Busybox is a small system: busybox, users, and a directory with something in it for volumes.
func Busybox(t *testing.T) v1.Image {
	t.Helper()
	BusyboxProgram(t) // or the test is skipped
	base.once.Do(func() { base.img = makeBusybox(t) })
	return base.img
}

func makeBusybox(t *testing.T) v1.Image {
	t.Helper()
	body := BusyboxProgram(t)
	names, err := exec.Command("busybox", "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	files := []File{
		Dir("bin/"), Dir("etc/"), {Name: "root/", Type: tar.TypeDir, Mode: 0o700}, {Name: "tmp/", Type: tar.TypeDir, Mode: 0o1777},
		Dir("data/"), {Name: "data/seed", Body: []byte("from the image\n")}, Dir("data/sub/"), {Name: "data/sub/deep", Body: []byte("deep\n")},
		{Name: "notexec", Body: []byte("not a program\n")},
		{Name: "etc/passwd", Body: []byte("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")},
		{Name: "etc/group", Body: []byte("root:x:0:\nnogroup:x:65534:\n")},
		{Name: "bin/busybox", Mode: 0o755, Body: body},
	}
	for _, a := range strings.Fields(string(names)) {
		if a != "busybox" {
			files = append(files, File{Name: "bin/" + a, Link: "bin/busybox", Type: tar.TypeLink, Mode: 0o755})
		}
	}
	return Image(t, nil, func(c *v1.Config) { c.Cmd, c.Env = []string{"sh"}, []string{"PATH=/bin"} }, Layer(t, files...))
}
