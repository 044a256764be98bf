//go:build linux

package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/klauspost/compress/zstd"
)

// bzipped is an archive with the file f in it, "content", made by tar cj.
const bzipped = "QlpoOTFBWSZTWaRlezsAAHP7hOkAAEhAAH+AAADrAZ4AAACACCAAVDSTaR5IMTQZHoJJNIAyADQU+5vd0IGiAkYTtK9GqJMkgm6gPSELIgtjAo+KmpHykqppRUeJM7q316jIXSzGP2c2ZEQGBdyRThQkKRlezsA="

func TestWriteReadsCompressedArchives(t *testing.T) {
	whole, err := io.ReadAll(archive(t, tar.Header{Name: "f", Typeflag: tar.TypeReg}))
	if err != nil {
		t.Fatal(err)
	}
	var gz, zst bytes.Buffer
	g := gzip.NewWriter(&gz)
	g.Write(whole)
	g.Close()
	z, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	z.Write(whole)
	z.Close()
	bz, err := base64.StdEncoding.DecodeString(bzipped)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"plain": whole, "gzip": gz.Bytes(), "zstd": zst.Bytes(), "bzip2": bz} {
		r, dir := root(t)
		if err := r.Write("/", bytes.NewReader(b), WriteOptions{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := os.ReadFile(dir + "/f"); err != nil || string(got) != "content" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestWriteRefusesBrokenCompression(t *testing.T) {
	junk := strings.Repeat("junk", 300)
	for name, b := range map[string]string{
		"gzip": "\x1f\x8b" + junk, "zstd": "\x28\xb5\x2f\xfd" + junk, "bzip2": "BZh91AY&SY" + junk, "xz": "\xfd7zXZ\x00" + junk,
	} {
		r, dir := root(t)
		if err := r.Write("/", strings.NewReader(b), WriteOptions{}); errdefs.KindOf(err) != errdefs.KindInvalid {
			t.Errorf("%s: %v", name, err)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
}
