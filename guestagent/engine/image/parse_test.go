//go:build linux

package image

import (
	"bytes"
	"encoding/json"
	"io"
	"path"
	"strings"
	"testing"

	"archive/tar"

	"github.com/distribution/reference"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestParseRef(t *testing.T) {
	d := "sha256:" + strings.Repeat("a", 64)
	for in, want := range map[string]string{
		"ubuntu": "docker.io/library/ubuntu:latest", "ubuntu:24.04": "docker.io/library/ubuntu:24.04", "a/b": "docker.io/a/b:latest",
		"localhost/x": "localhost/x:latest", "r.lan:5000/a/b:1": "r.lan:5000/a/b:1", "index.docker.io/x": "docker.io/library/x:latest",
		"x@" + d: "docker.io/library/x@" + d, "x:1@" + d: "docker.io/library/x@" + d,
		"": "", "X": "", "a b": "", "a:b:c": "", ":x": "", "x@sha256:12": "", "a//b": "", "-": "", strings.Repeat("0", 64): "",
	} {
		got, err := parseRef(in)
		switch {
		case want == "" && err == nil:
			t.Errorf("parseRef(%q) = %s, want an error", in, got)
		case want != "" && (err != nil || got.String() != want):
			t.Errorf("parseRef(%q) = %v, %v, want %s", in, got, err, want)
		}
	}
}

func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"ubuntu", "a/b:c", "r:5/x@sha256:" + strings.Repeat("0", 64), "dangling@sha256:" + strings.Repeat("1", 64), "../x", "a:b@c", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		named, err := parseRef(s)
		if err != nil {
			return
		}
		if isDangling(named.String()) {
			t.Errorf("%q reaches the name of a dangling image", s)
		}
		if tagOf(named) == "" || strings.Contains(reference.Path(named), "..") {
			t.Errorf("parseRef(%q) = %s", s, named)
		}
		again, err := parseRef(named.String())
		if err != nil || again.String() != named.String() {
			t.Errorf("%q is not stable: %v, %v", s, again, err)
		}
	})
}

func FuzzManifestAndConfig(f *testing.F) {
	f.Add([]byte(`{"config":{"digest":"sha256:`+strings.Repeat("a", 64)+`","size":2},"layers":[]}`), []byte(`{"rootfs":{"type":"layers","diff_ids":[]}}`))
	f.Add([]byte(`{"layers":[{"size":-1,"urls":["http://x"]}]}`), []byte(`{"config":{"User":"0x0"},"rootfs":{"diff_ids":["x"]}}`))
	f.Add([]byte(`null`), []byte(`[]`))
	f.Fuzz(func(t *testing.T, mb, cb []byte) {
		var m ocispec.Manifest
		var c dockerspec.DockerOCIImage
		if json.Unmarshal(mb, &m) != nil || checkManifest(&m) != nil {
			return
		}
		for _, l := range m.Layers {
			if l.URLs != nil || l.Size <= 0 {
				t.Errorf("layer passed: %+v", l)
			}
		}
		if json.Unmarshal(cb, &c) != nil || checkConfig(&m, &c) != nil {
			return
		}
		p := &parts{manifest: m, config: c}
		if (p.chainID() == "") != (len(m.Layers) == 0) {
			t.Errorf("chain ID %q of %d layers", p.chainID(), len(m.Layers))
		}
	})
}

func FuzzDirsSeen(f *testing.F) {
	f.Add("a/b/c", byte('0'), "SCHILY.xattr.trusted.overlay.opaque")
	f.Add("../../x", byte('5'), "SCHILY.xattr.user.overlay.redirect")
	f.Add("", byte('2'), "")
	f.Fuzz(func(t *testing.T, name string, kind byte, key string) {
		d := &dirsSeen{explicit: map[string]bool{}, implied: map[string]bool{}}
		h := &tar.Header{Name: name, Typeflag: kind, PAXRecords: map[string]string{key: "y"}}
		if ok, err := d.header(h); !ok || err != nil {
			t.Fatalf("%v, %v", ok, err)
		}
		for k := range h.PAXRecords {
			if strings.HasPrefix(k, "SCHILY.xattr.trusted.overlay.") {
				t.Errorf("kept %s", k)
			}
		}
		for _, dir := range d.left() {
			if dir != path.Clean(dir) || !strings.HasPrefix(dir, "/") || strings.HasPrefix(dir+"/", "/../") {
				t.Errorf("implied directory %q", dir)
			}
		}
	})
}

func FuzzDecompress(f *testing.F) {
	f.Add([]byte{0x1f, 0x8b, 8, 0})
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0, 1})
	f.Add([]byte("plain"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decompress(bytes.NewReader(b))
		if err != nil {
			return
		}
		n, _ := io.Copy(io.Discard, io.LimitReader(r, 1<<20))
		if n > 1<<20 {
			t.Errorf("%d bytes", n)
		}
		_ = r.Close()
	})
}
