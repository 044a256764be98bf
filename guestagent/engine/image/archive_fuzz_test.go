//go:build linux

package image

import (
	"archive/tar"
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/opencontainers/go-digest"
)

// Whatever a tar of images says, reading it names only what it has brought, and a bad one is the client's fault.
func FuzzReadArchive(f *testing.F) {
	pack := func(files map[string]string) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for name, text := range files {
			w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))})
			w.Write([]byte(text))
		}
		w.WriteHeader(&tar.Header{Name: "b/layer.tar", Typeflag: tar.TypeSymlink, Linkname: "../a/layer.tar"})
		w.Close()
		return b.Bytes()
	}
	config := `{"rootfs":{"type":"layers","diff_ids":[]}}`
	manifest := `{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` + string(digest.FromString(config)) + `","size":42},"layers":[]}`
	blob := func(s string) string { return "blobs/sha256/" + digest.FromString(s).Encoded() }
	f.Add(pack(map[string]string{
		"oci-layout": `{"imageLayoutVersion":"1.0.0"}`, blob(config): config, blob(manifest): manifest,
		"index.json": `{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"` + string(digest.FromString(manifest)) + `","size":1,"annotations":{"io.containerd.image.name":"a:b"}}]}`,
	}))
	f.Add(pack(map[string]string{"manifest.json": `[{"Config":"c.json","RepoTags":["a:b"],"Layers":["b/layer.tar"]}]`, "c.json": config, "a/layer.tar": "x"}))
	f.Add(pack(map[string]string{"manifest.json": `[{"Config":"../c.json","Layers":[""]}]`}))
	f.Add(pack(map[string]string{"oci-layout": "{}", "index.json": "null"}))
	f.Add([]byte{})
	s := open(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		ctx, done, err := s.lease(s.ctx(context.Background()), "fuzz "+randomName())
		if err != nil {
			t.Fatal(err)
		}
		defer done(true)
		found, err := s.readArchive(ctx, bytes.NewReader(data))
		if err != nil {
			if k := errdefs.KindOf(err); k != errdefs.KindInvalid && k != errdefs.KindNotFound {
				t.Errorf("not the client's fault: %v", err)
			}
			return
		}
		for _, img := range found {
			if img.target.Digest.Validate() != nil || strings.Contains(img.name, "..") {
				t.Errorf("read %+v", img)
			}
		}
	})
}
