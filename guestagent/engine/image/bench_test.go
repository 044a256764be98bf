//go:build linux

package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const benchBytes = 350 << 20 // unpacked, in four layers

// BenchmarkColdPull pulls an image of four layers, 350 MB of this machine's own programs and libraries, into an empty
// state directory from a registry in this process.
func BenchmarkColdPull(b *testing.B) {
	needRoot(b)
	h := newHub(b)
	ref, packed := h.push(b, "bench:1", benchImage(b)), int64(0)
	for b.Loop() {
		b.StopTimer()
		// Removed at the end only: ext4 is slow to reuse inodes that were freed a moment ago.
		dir := b.TempDir()
		b.StartTimer()
		s := openAt(b, dir, amd64)
		if err := s.ImagePull(context.Background(), ref, nil, nil, nil); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		packed, _ = s.diskUse(s.ctx(context.Background()))
		_ = s.Close()
		b.StartTimer()
	}
	b.ReportMetric(float64(packed)/1e6, "MB-stored")
}

// benchImage fills four layers with what lies below /usr.
func benchImage(b *testing.B) v1.Image {
	var layers []v1.Layer
	var buf bytes.Buffer
	tw := tar.NewWriter(&buf)
	cut := func() {
		_ = tw.Close()
		plain := bytes.Clone(buf.Bytes())
		var packed bytes.Buffer
		gw, _ := gzip.NewWriterLevel(&packed, gzip.DefaultCompression)
		_, _ = gw.Write(plain)
		_ = gw.Close()
		layers = append(layers, rawLayer{static.NewLayer(packed.Bytes(), types.DockerLayer), plain})
		buf.Reset()
		tw = tar.NewWriter(&buf)
	}
	total := int64(0)
	err := filepath.WalkDir("/usr", func(path string, d fs.DirEntry, err error) error {
		if err != nil || total > benchBytes {
			return fs.SkipAll
		}
		fi, err := d.Info()
		if err != nil || !fi.Mode().IsRegular() && !fi.IsDir() {
			return nil
		}
		h, err := tar.FileInfoHeader(fi, "")
		if err != nil {
			return nil
		}
		h.Name = path[1:]
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		if fi.Mode().IsRegular() {
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			n, err := io.Copy(tw, f)
			if err != nil {
				return err
			}
			total += n
		}
		if int64(buf.Len()) > benchBytes/4 {
			cut()
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	cut()
	return imageOf(b, v1.Config{}, layers...)
}

// BenchmarkContainerRoot is what a start of a container asks of the image service.
func BenchmarkContainerRoot(b *testing.B) {
	ctx := context.Background()
	h, s := newHub(b), open(b, amd64)
	ref := pulled(b, h, s, "hot:1", layer(b, file{name: "a", body: "x"}), layer(b, file{name: "b", body: "y"}))
	n := 0
	for b.Loop() {
		n++
		id := "c" + strconv.Itoa(n)
		dir := containerDir(b, s, id)
		img, err := s.Resolve(ctx, ref, nil)
		if err == nil {
			err = s.Prepare(ctx, img, id, dir)
		}
		if err == nil {
			_, err = s.Mounts(ctx, img, id, dir)
		}
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Release(ctx, id); err != nil {
			b.Fatal(err)
		}
	}
}
