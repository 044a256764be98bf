package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// The images: busybox for everything small, and one of several layers to pull.
const (
	bigLayers = 6
	bigFiles  = 50      // of each layer
	bigFile   = 1 << 20 // bytes
)

// serveImages runs a registry on loopback and gives the names of the two images.
func serveImages(busybox string) (small, big string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:5000")
	if err != nil {
		return "", "", err
	}
	go http.Serve(l, registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	small, big = "127.0.0.1:5000/busybox:latest", "127.0.0.1:5000/big:latest"
	bb, err := busyboxLayer(busybox)
	if err != nil {
		return "", "", err
	}
	if err := push(small, bb); err != nil {
		return "", "", err
	}
	layers := [][]byte{bb}
	for i := range bigLayers {
		layers = append(layers, bigLayer(i))
	}
	return small, big, push(big, layers...)
}

func push(ref string, layers ...[]byte) error {
	img := empty.Image
	for _, content := range layers {
		l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
		if err != nil {
			return err
		}
		if img, err = mutate.AppendLayers(img, l); err != nil {
			return err
		}
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		return err
	}
	cfg = cfg.DeepCopy()
	cfg.OS, cfg.Architecture, cfg.Config = "linux", goarch, v1.Config{Env: []string{"PATH=/bin"}, Cmd: []string{"sh"}}
	if img, err = mutate.ConfigFile(img, cfg); err != nil {
		return err
	}
	tag, err := name.NewTag(ref, name.Insecure)
	if err != nil {
		return err
	}
	return remote.Write(tag, img)
}

func busyboxLayer(program string) ([]byte, error) {
	bin, err := os.ReadFile(program)
	if err != nil {
		return nil, fmt.Errorf("the static busybox (Debian: busybox-static): %w", err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	w.WriteHeader(&tar.Header{Name: "bin/", Typeflag: tar.TypeDir, Mode: 0o755})
	w.WriteHeader(&tar.Header{Name: "bin/busybox", Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(bin))})
	w.Write(bin)
	for _, n := range []string{"sh", "true", "sleep", "cat", "nc"} {
		w.WriteHeader(&tar.Header{Name: "bin/" + n, Typeflag: tar.TypeSymlink, Linkname: "busybox"})
	}
	for _, d := range []string{"etc/", "proc/", "sys/", "dev/", "tmp/"} {
		w.WriteHeader(&tar.Header{Name: d, Typeflag: tar.TypeDir, Mode: 0o755})
	}
	return b.Bytes(), w.Close()
}

// bigLayer is about as compressible as programs are: half of each kilobyte is noise, half a repetition of it.
func bigLayer(n int) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	rnd := rand.New(rand.NewPCG(1, uint64(n)))
	content := make([]byte, bigFile)
	w.WriteHeader(&tar.Header{Name: fmt.Sprintf("data%d/", n), Typeflag: tar.TypeDir, Mode: 0o755})
	for f := range bigFiles {
		for i := 0; i < len(content); i += 1024 {
			for k := i; k < i+512; k += 8 {
				v := rnd.Uint64()
				for s := range 8 {
					content[k+s] = byte(v >> (8 * s))
				}
			}
			copy(content[i+512:i+1024], content[i:i+512])
		}
		w.WriteHeader(&tar.Header{Name: fmt.Sprintf("data%d/f%d", n, f), Typeflag: tar.TypeReg, Mode: 0o644, Size: bigFile})
		w.Write(content)
	}
	w.Close()
	return b.Bytes()
}
