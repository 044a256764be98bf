package vm

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// load gives the engine an image of the machine's busybox.
func (g *guest) load(short string) {
	g.Helper()
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		g.Skip("needs busybox-static at /bin/busybox")
	}
	img, err := busyboxImage(busybox)
	if err != nil {
		g.Fatal(err)
	}
	tag, err := name.NewTag(short)
	if err != nil {
		g.Fatal(err)
	}
	var b bytes.Buffer
	if err := tarball.Write(tag, img, &b); err != nil {
		g.Fatal(err)
	}
	res, err := g.api.ImageLoad(g.ctx(), &b)
	if err != nil {
		g.Fatalf("load: %v", err)
	}
	defer res.Close()
	if _, err := io.Copy(io.Discard, res); err != nil {
		g.Fatalf("load: %v", err)
	}
}

func busyboxImage(busybox []byte) (v1.Image, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, dir := range []string{"bin/", "etc/", "tmp/", "proc/", "sys/", "dev/"} {
		if err := w.WriteHeader(&tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
			return nil, err
		}
	}
	if err := w.WriteHeader(&tar.Header{Name: "bin/busybox", Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(busybox))}); err != nil {
		return nil, err
	}
	if _, err := w.Write(busybox); err != nil {
		return nil, err
	}
	for _, applet := range []string{"sh", "cat", "ping", "ip", "sed", "grep", "sync", "sleep", "nc", "echo", "true"} {
		if err := w.WriteHeader(&tar.Header{Name: "bin/" + applet, Typeflag: tar.TypeSymlink, Linkname: "busybox", Mode: 0o777}); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	c, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	c = c.DeepCopy()
	c.OS, c.Architecture, c.Config.Env = "linux", runtime.GOARCH, []string{"PATH=/bin"}
	return mutate.ConfigFile(img, c)
}
