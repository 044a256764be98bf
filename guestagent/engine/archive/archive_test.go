//go:build linux

package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
)

func root(t *testing.T) (*Root, string) {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return NewRoot(f, "c"), dir
}

func put(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// listing is the names, types and contents of an archive.
func listing(t *testing.T, r io.Reader) map[string]string {
	t.Helper()
	out := map[string]string{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(tr)
		out[h.Name] = string(h.Typeflag) + string(b) + h.Linkname
	}
}

func archive(t *testing.T, headers ...tar.Header) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		content := ""
		if h.Typeflag == tar.TypeReg {
			content = "content"
			h.Size = int64(len(content))
		}
		if h.Mode == 0 {
			h.Mode = 0o755
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(content))
	}
	w.Close()
	return &b
}

func TestReadGivesWhatIsThere(t *testing.T) {
	r, dir := root(t)
	put(t, dir+"/d/f", "one")
	os.Symlink("/etc/passwd", dir+"/d/link")
	os.Link(dir+"/d/f", dir+"/d/g")
	rc, st, err := r.Read("/d")
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	got := listing(t, rc)
	want := map[string]string{"d/": "5", "d/f": "0one", "d/g": "1d/f", "d/link": "2/etc/passwd"}
	if len(got) != len(want) || st.Name != "d" || !st.Mode.IsDir() {
		t.Errorf("archive %v, state %+v", got, st)
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s is %q, want %q", k, got[k], v)
		}
	}
	for name, want := range map[string]string{
		"/d/.": "./f", "d/./": "./f", "/d/": "d/f", "/": "/d/f", "/.": "./d/f", ".": "./d/f", "./": "./d/f", "/./": "./d/f",
	} {
		rc, _, err := r.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := listing(t, rc); got[want] != "0one" {
			t.Errorf("of %s came %v", name, got)
		}
	}
}

func TestLinksMeanWhatTheyMeanInside(t *testing.T) {
	r, dir := root(t)
	put(t, dir+"/etc/passwd", "container's")
	os.Symlink("/etc", dir+"/abs")
	os.Symlink("../../../../../../etc/passwd", dir+"/up")
	if _, _, err := r.Read("/up/"); errdefs.KindOf(err) != errdefs.KindInvalid || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("a file as a directory: %v", err)
	}
	for _, name := range []string{"/abs/passwd", "/abs/../etc/passwd"} {
		rc, _, err := r.Read(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for k, v := range listing(t, rc) {
			if v != "0container's" {
				t.Errorf("%s gave %s: %q", name, k, v)
			}
		}
	}
	os.Symlink("up", dir+"/again")
	os.Symlink("/gone/../abs/./nosuch", dir+"/dangling")
	os.Symlink("loop", dir+"/loop")
	for name, target := range map[string]string{
		"/up": "/etc/passwd", "/again": "/etc/passwd", "abs": "/etc", "/dangling": "/etc/nosuch", "/loop": "/loop", "/abs/../again": "/etc/passwd",
	} {
		st, err := r.Stat(name)
		if err != nil || st.Mode&os.ModeSymlink == 0 || st.LinkTarget != target {
			t.Errorf("%s: state %+v, error %v, not %s", name, st, err, target)
		}
	}
	if _, err := r.Stat("/nothing"); errdefs.KindOf(err) != errdefs.KindNotFound {
		t.Errorf("error %v", err)
	}
}

func TestWriteStaysInside(t *testing.T) {
	outside := t.TempDir()
	for name, headers := range map[string][]tar.Header{
		"dots":                  {{Name: "../evil", Typeflag: tar.TypeReg}},
		"dots in the middle":    {{Name: "a/../../evil", Typeflag: tar.TypeReg}},
		"link, then through it": {{Name: "l", Typeflag: tar.TypeSymlink, Linkname: outside}, {Name: "l/evil", Typeflag: tar.TypeReg}},
		"relative link":         {{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "../../../../../../.." + outside}, {Name: "l/evil", Typeflag: tar.TypeReg}},
		"hard link outside":     {{Name: "h", Typeflag: tar.TypeLink, Linkname: "../../../../etc/passwd"}},
		"hard link absolute":    {{Name: "h", Typeflag: tar.TypeLink, Linkname: "/etc/shadow"}},
		"device":                {{Name: "mem", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 1}},
		"file over the link":    {{Name: "l", Typeflag: tar.TypeSymlink, Linkname: outside + "/evil"}, {Name: "l", Typeflag: tar.TypeReg}},
		"absolute name":         {{Name: "/" + outside + "/evil", Typeflag: tar.TypeReg}},
	} {
		t.Run(name, func(t *testing.T) {
			r, dir := root(t)
			os.Mkdir(dir+"/in", 0o755)
			r.Write("/in", archive(t, headers...), WriteOptions{})
			if left, _ := os.ReadDir(outside); len(left) != 0 {
				t.Errorf("written outside: %v", left)
			}
			if _, err := os.Stat(filepath.Dir(dir) + "/evil"); err == nil {
				t.Error("written beside the root")
			}
			if st, err := os.Lstat(dir + "/in/mem"); err == nil && st.Mode()&os.ModeDevice != 0 {
				t.Error("a device was made")
			}
			if a, err := os.Stat(dir + "/in/h"); err == nil {
				if b, err := os.Stat("/etc/passwd"); err == nil && os.SameFile(a, b) {
					t.Error("a hard link leads out")
				}
			}
		})
	}
}

func TestWritePutsFiles(t *testing.T) {
	r, dir := root(t)
	os.MkdirAll(dir+"/real/deep", 0o755)
	os.Symlink("/real", dir+"/link")
	err := r.Write("/link/deep", archive(t,
		tar.Header{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o750},
		tar.Header{Name: "d/f", Typeflag: tar.TypeReg, Mode: 0o4711, Uid: 12, Gid: 34},
		tar.Header{Name: "d/l", Typeflag: tar.TypeSymlink, Linkname: "f"},
		tar.Header{Name: "d/h", Typeflag: tar.TypeLink, Linkname: "d/f"},
		tar.Header{Name: "new/parents/f", Typeflag: tar.TypeReg}), WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(dir + "/real/deep/d/f")
	if err != nil || st.Mode().Perm() != 0o711 || st.Mode()&os.ModeSetuid == 0 {
		t.Errorf("file %v, error %v", st.Mode(), err)
	}
	if h, err := os.Stat(dir + "/real/deep/d/h"); err != nil || !os.SameFile(st, h) {
		t.Errorf("hard link: %v", err)
	}
	if b, err := os.ReadFile(dir + "/real/deep/d/l"); err != nil || string(b) != "content" {
		t.Errorf("link: %q, %v", b, err)
	}
	if _, err := os.Stat(dir + "/real/deep/new/parents/f"); err != nil {
		t.Error(err)
	}
}

func TestWriteRefuses(t *testing.T) {
	r, dir := root(t)
	put(t, dir+"/file", "x")
	os.Mkdir(dir+"/dir", 0o755)
	for name, tc := range map[string]struct {
		to   string
		h    tar.Header
		kind errdefs.Kind
		text string
	}{
		"missing directory":   {"/none", tar.Header{Name: "f", Typeflag: tar.TypeReg}, errdefs.KindNotFound, "/none"},
		"a file as directory": {"/file", tar.Header{Name: "f", Typeflag: tar.TypeReg}, errdefs.KindInvalid, "extraction point is not a directory"},
		"file over directory": {"/", tar.Header{Name: "dir", Typeflag: tar.TypeReg}, errdefs.KindInvalid, "cannot overwrite directory"},
		"directory over file": {"/", tar.Header{Name: "file/", Typeflag: tar.TypeDir}, errdefs.KindInvalid, "cannot overwrite non-directory"},
	} {
		err := r.Write(tc.to, archive(t, tc.h), WriteOptions{NoOverwriteDirNonDir: true})
		if errdefs.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := r.Write("/", strings.NewReader("junk that is no archive"+strings.Repeat("x", 600)), WriteOptions{}); errdefs.KindOf(err) != errdefs.KindInvalid {
		t.Errorf("junk: %v", err)
	}
}

// A container swaps a directory for a link to somewhere else while files are copied in and out.
func TestSwappedDirectory(t *testing.T) {
	r, dir := root(t)
	outside := t.TempDir()
	put(t, outside+"/secret", "the machine's")
	os.Mkdir(dir+"/real", 0o755)
	put(t, dir+"/real/secret", "harmless")
	var stop atomic.Bool
	done := make(chan struct{})
	defer func() {
		stop.Store(true)
		<-done
	}()
	go func() {
		defer close(done)
		for !stop.Load() {
			os.Symlink(outside, dir+"/tmp")
			os.Rename(dir+"/real", dir+"/away")
			os.Rename(dir+"/tmp", dir+"/real")
			os.Remove(dir + "/real")
			os.Rename(dir+"/away", dir+"/real")
		}
	}()
	for range 2000 {
		if rc, _, err := r.Read("/real/secret"); err == nil {
			b, _ := io.ReadAll(rc)
			rc.Close()
			if listing(t, bytes.NewReader(b))["secret"] == "0the machine's" {
				t.Error("a file of the machine was read")
			}
		}
		r.Write("/real", archive(t, tar.Header{Name: "evil", Typeflag: tar.TypeReg}), WriteOptions{})
	}
	if _, err := os.Stat(outside + "/evil"); err == nil {
		t.Error("a file of the machine was written (CVE-2018-15664)")
	}
}

func TestExportLeavesMountsOut(t *testing.T) {
	r, dir := root(t)
	put(t, dir+"/a/f", "x")
	var b bytes.Buffer
	if err := r.Export(&b); err != nil {
		t.Fatal(err)
	}
	if got := listing(t, &b); got["a/"] != "5" || got["a/f"] != "0x" || len(got) != 2 {
		t.Errorf("archive %v", got)
	}
}

func FuzzWrite(f *testing.F) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	w.WriteHeader(&tar.Header{Name: "d/../x", Typeflag: tar.TypeReg, Mode: 0o644, Size: 1})
	w.Write([]byte("x"))
	w.WriteHeader(&tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/"})
	w.WriteHeader(&tar.Header{Name: "l/etc", Typeflag: tar.TypeDir})
	w.Close()
	f.Add(b.Bytes())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		parent := t.TempDir()
		os.Mkdir(parent+"/root", 0o755)
		dir, err := os.Open(parent + "/root")
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		r := NewRoot(dir, "c")
		r.Write("/", bytes.NewReader(data), WriteOptions{})
		if left, _ := os.ReadDir(parent); len(left) != 1 {
			t.Errorf("written outside: %v", left)
		}
	})
}
