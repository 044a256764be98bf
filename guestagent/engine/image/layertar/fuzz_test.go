//go:build linux

package layertar

import (
	"archive/tar"
	"bytes"
	"io"
	"path"
	"strings"
	"testing"
)

func FuzzDirsSeen(f *testing.F) {
	f.Add("a/b/c", byte('0'), "SCHILY.xattr.trusted.overlay.opaque")
	f.Add("../../x", byte('5'), "SCHILY.xattr.user.overlay.redirect")
	f.Add("", byte('2'), "")
	f.Fuzz(func(t *testing.T, name string, kind byte, key string) {
		d := &dirsSeen{explicit: map[string]bool{}, implied: map[string]bool{}, room: 1 << 40}
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
		r, err := Decompress(bytes.NewReader(b))
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
