//go:build linux

package image

import (
	"encoding/json"
	"strings"
	"testing"

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
