//go:build linux

package layertar

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/mount"
	"golang.org/x/sys/unix"
)

// mountImage gives a directory that shows an EROFS image until the test ends, in no mount namespace.
func mountImage(t *testing.T, file string) string {
	t.Helper()
	fsfd, err := unix.Fsopen("erofs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		t.Skipf("this kernel has no EROFS: %v", err)
	}
	defer unix.Close(fsfd)
	if err := unix.FsconfigSetString(fsfd, "source", file); err != nil {
		t.Fatal(err)
	}
	if err := unix.FsconfigCreate(fsfd); errors.Is(err, unix.ENOTBLK) {
		t.Skip("this kernel mounts no EROFS image from a file")
	} else if err != nil {
		t.Fatalf("mounting the image: %v", err)
	}
	fd, err := unix.Fsmount(fsfd, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "image")
	t.Cleanup(func() { f.Close() })
	return fmt.Sprintf("/proc/self/fd/%d/", fd)
}

// describeTree is everything about every file below a directory that a container could tell.
func describeTree(t *testing.T, root string) map[string]string {
	t.Helper()
	out, first, began := map[string]string{}, map[uint64]string{}, time.Now().Add(-10*time.Minute)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		name := "/" + strings.TrimPrefix(strings.TrimPrefix(path, root), "/")
		mtime := time.Unix(st.Mtim.Unix()).UTC().Format(time.RFC3339Nano)
		if time.Unix(st.Mtim.Unix()).After(began) {
			mtime = "now"
		}
		if _, ok := first[st.Ino]; !ok {
			first[st.Ino] = name
		}
		s := fmt.Sprintf("%o %d:%d rdev %x links %d (%s) %s", st.Mode, st.Uid, st.Gid, st.Rdev, st.Nlink, first[st.Ino], mtime)
		if len(name) > 1 && d.Type()&fs.ModeType != typeOf(st.Mode) {
			s += " entry says " + d.Type().String()
		}
		switch {
		case d.Type().IsRegular():
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			s += fmt.Sprintf(" %d bytes %x", st.Size, sha256.Sum256(b))
		case d.Type()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			s += " -> " + to
		}
		out[name] = s + xattrsOf(t, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func typeOf(mode uint32) fs.FileMode {
	return map[uint32]fs.FileMode{
		unix.S_IFDIR: fs.ModeDir, unix.S_IFLNK: fs.ModeSymlink, unix.S_IFCHR: fs.ModeDevice | fs.ModeCharDevice,
		unix.S_IFBLK: fs.ModeDevice, unix.S_IFIFO: fs.ModeNamedPipe, unix.S_IFSOCK: fs.ModeSocket,
	}[mode&unix.S_IFMT]
}

func xattrsOf(t *testing.T, path string) string {
	names := make([]byte, 4096)
	n, err := unix.Llistxattr(path, names)
	if err != nil {
		return ""
	}
	list := strings.Split(strings.TrimRight(string(names[:n]), "\x00"), "\x00")
	slices.Sort(list)
	out := ""
	for _, name := range list {
		if name == "" {
			continue
		}
		v := make([]byte, 4096)
		n, err := unix.Lgetxattr(path, name, v)
		if err != nil {
			t.Errorf("%s of %s: %v", name, path, err)
			continue
		}
		out += fmt.Sprintf(" %s=%q", name, v[:n])
	}
	return out
}

// both unpacks a tar to a directory and to an image and compares what came of it.
func both(t *testing.T, name string, b []byte, lowers ...string) (unpacked bool) {
	t.Helper()
	ctx, work := context.Background(), t.TempDir()
	dir := filepath.Join(work, "fs")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	plain, err := Apply(ctx, []mount.Mount{{Type: "bind", Source: dir}}, bytes.NewReader(b), 1<<30)
	if err == nil {
		err = plain.Settle(lowers)
	}
	file := filepath.Join(work, "layer.erofs")
	image, ierr := ApplyImage(ctx, file, bytes.NewReader(b), 1<<30)
	if ierr == nil {
		ierr = image.Settle(lowers)
	}
	if (err == nil) != (ierr == nil) {
		t.Fatalf("%s: directory: %v; image: %v", name, err, ierr)
	}
	if err != nil {
		return false
	}
	if plain.DiffID != image.DiffID {
		t.Errorf("%s: %s and %s", name, plain.DiffID, image.DiffID)
	}
	want, got := describeTree(t, dir), describeTree(t, mountImage(t, file))
	for _, p := range slices.Sorted(maps.Keys(want)) {
		if want[p] != got[p] {
			t.Errorf("%s: %s\n directory %s\n image     %s", name, p, want[p], got[p])
		}
	}
	for p := range got {
		if _, ok := want[p]; !ok {
			t.Errorf("%s: %s is in the image only: %s", name, p, got[p])
		}
	}
	return true
}

func tarOf(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var buf bytes.Buffer
	tw := tar.NewWriter(&buf)
	for _, h := range headers {
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if h.Format = tar.FormatPAX; h.Typeflag == tar.TypeXGlobalHeader {
			h = tar.Header{Typeflag: h.Typeflag, PAXRecords: h.PAXRecords}
		}
		if err := tw.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		body := make([]byte, h.Size)
		for i := range body {
			body[i] = byte(i>>8) ^ byte(i) ^ byte(len(h.Name))
		}
		if _, err := tw.Write(body); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("making devices and mounts needs root")
	}
}

const (
	capNetRaw = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	// u::rw- u:1000:rwx g::r-- m::rwx o::r--
	acl = "\x02\x00\x00\x00" + "\x01\x00\x06\x00\xff\xff\xff\xff" + "\x02\x00\x07\x00\xe8\x03\x00\x00" +
		"\x04\x00\x04\x00\xff\xff\xff\xff" + "\x10\x00\x07\x00\xff\xff\xff\xff" + "\x20\x00\x04\x00\xff\xff\xff\xff"
	aclOfMode = "\x02\x00\x00\x00" + "\x01\x00\x06\x00\xff\xff\xff\xff" + "\x04\x00\x04\x00\xff\xff\xff\xff" + "\x20\x00\x04\x00\xff\xff\xff\xff"
)

func xattr(kv ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(kv); i += 2 {
		m[xattrRecord+kv[i]] = kv[i+1]
	}
	return m
}

var (
	day   = time.Date(2021, 3, 4, 5, 6, 7, 123456789, time.UTC)
	tarOK = map[string][]tar.Header{
		"nothing": {},
		"sizes": {
			{Name: "empty"}, {Name: "one", Size: 1}, {Name: "short", Size: 1024}, {Name: "over", Size: 1025}, {Name: "block", Size: 4096},
			{Name: "more", Size: 4097}, {Name: "large", Size: 5<<20 + 17},
		},
		"owners and modes": {
			{Name: "d", Typeflag: tar.TypeDir, Mode: 0o1777, Uid: 70000, Gid: 4294967294, ModTime: day},
			{Name: "d/suid", Mode: 0o6755, Uid: 1, Gid: 2, Size: 3, ModTime: day.Add(time.Second)},
			{Name: "d/none", Mode: 0o1000, Uid: 65535, Gid: 65536}, {Name: "keep", Uid: -1, Gid: 7},
		},
		"times": {
			{Name: "old", ModTime: time.Unix(-5, 0)}, {Name: "zero", ModTime: time.Unix(0, 0)}, {Name: "y2038", ModTime: time.Unix(1<<31+1, 999999999)},
			{Name: "d/f", ModTime: day}, {Name: "d", Typeflag: tar.TypeDir, Mode: 0o755, ModTime: day}, {Name: "d/g", Size: 9},
		},
		"links": {
			{Name: "a", Size: 2000, ModTime: day}, {Name: "d/b", Typeflag: tar.TypeLink, Linkname: "a", ModTime: day},
			{Name: "c", Typeflag: tar.TypeLink, Linkname: "/d/b", Mode: 0o600, Uid: 9, ModTime: day.Add(time.Hour)},
			{Name: "s", Typeflag: tar.TypeSymlink, Linkname: "a"}, {Name: "hs", Typeflag: tar.TypeLink, Linkname: "s"},
			{Name: "dir", Typeflag: tar.TypeSymlink, Linkname: "d"}, {Name: "e", Typeflag: tar.TypeLink, Linkname: "dir/b"},
			{Name: "long", Typeflag: tar.TypeSymlink, Linkname: strings.Repeat("x/", 2047) + "y"},
			{Name: "mid", Typeflag: tar.TypeSymlink, Linkname: strings.Repeat("z", 2100)},
		},
		"devices": {
			{Name: "null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3, Mode: 0o666}, {Name: "sd", Typeflag: tar.TypeBlock, Devmajor: 259, Devminor: 70000},
			{Name: "pipe", Typeflag: tar.TypeFifo, Mode: 0o622}, {Name: "big", Typeflag: tar.TypeChar, Devmajor: 4095, Devminor: 1<<20 - 1},
		},
		"whiteouts": {
			{Name: "d", Typeflag: tar.TypeDir, Mode: 0o711, ModTime: day}, {Name: "d/.wh..wh..opq"}, {Name: "d/.wh.gone", Uid: 3}, {Name: "d/stay", Size: 4},
			{Name: ".wh.top"}, {Name: "x/y/.wh.z"}, {Name: ".wh.back"}, {Name: "back", Size: 5}, {Name: ".wh..wh.odd"}, {Name: "deep/.wh..wh..opq"},
		},
		"attributes": {
			{Name: "ping", Size: 4, PAXRecords: xattr(capability, capNetRaw, "user.a", "1", "user.b", "")},
			{Name: "pong", Typeflag: tar.TypeLink, Linkname: "ping"},
			{Name: "keeps", Typeflag: tar.TypeLink, Linkname: "ping", PAXRecords: xattr(capability, capNetRaw)},
			{Name: "d", Typeflag: tar.TypeDir, Mode: 0o750, PAXRecords: xattr("user.dir", strings.Repeat("v", 2000), "trusted.no", "1", "trusted.overlay.opaque", "y", "odd.space", "1")},
			{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "d", PAXRecords: xattr("user.no", "1")},
			{Name: "acl", Mode: 0o640, PAXRecords: xattr(aclAccess, acl)}, {Name: "plain", Mode: 0o640, PAXRecords: xattr(aclAccess, aclOfMode)},
			{Name: "e", Typeflag: tar.TypeDir, Mode: 0o770, PAXRecords: xattr(aclAccess, acl, aclDefault, acl)},
			{Name: "inline", Size: 900, PAXRecords: xattr("user.x", strings.Repeat("w", 3300))},
		},
		"paths": {
			{Name: "./a/./b/../c", Size: 1}, {Name: "/abs/x", Size: 2}, {Name: "../../up", Size: 3}, {Name: "./", Typeflag: tar.TypeDir, Mode: 0o700},
			{Name: "ln", Typeflag: tar.TypeSymlink, Linkname: "/a"}, {Name: "ln/in", Size: 4}, {Name: "new", Typeflag: tar.TypeSymlink, Linkname: "../not/there"},
			{Name: "new/file", Size: 5}, {Name: "ln", Typeflag: tar.TypeSymlink, Linkname: "b"}, {Name: "a", Size: 6},
			{Name: "d/e/f", Size: 1}, {Name: "d", Typeflag: tar.TypeDir, Mode: 0o500, ModTime: day}, {Name: "d/e", Size: 7},
			{Name: strings.Repeat("n", 255), Size: 1}, {Name: "pax_global_header", Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"a": "b"}},
		},
	}
	tarBad = map[string][]tar.Header{
		"file as parent":       {{Name: "f"}, {Name: "f/x"}},
		"device as parent":     {{Name: "d", Typeflag: tar.TypeChar}, {Name: "d/x"}},
		"link to nothing":      {{Name: "h", Typeflag: tar.TypeLink, Linkname: "no"}},
		"link to itself":       {{Name: "h"}, {Name: "h", Typeflag: tar.TypeLink, Linkname: "h"}},
		"link to a directory":  {{Name: "d", Typeflag: tar.TypeDir}, {Name: "h", Typeflag: tar.TypeLink, Linkname: "d"}},
		"link up":              {{Name: "h", Typeflag: tar.TypeLink, Linkname: "../../../etc/passwd"}},
		"circle":               {{Name: "a", Typeflag: tar.TypeSymlink, Linkname: "b"}, {Name: "b", Typeflag: tar.TypeSymlink, Linkname: "a"}, {Name: "a/x"}},
		"whiteout of dot dot":  {{Name: "d/.wh..."}},
		"whiteout of nothing":  {{Name: "d/.wh."}},
		"whiteout of a file":   {{Name: "x"}, {Name: ".wh.x"}},
		"name too long":        {{Name: strings.Repeat("n", 256)}},
		"link too long":        {{Name: "l", Typeflag: tar.TypeSymlink, Linkname: strings.Repeat("x/", 2048)}},
		"capability malformed": {{Name: "c", PAXRecords: xattr(capability, "x")}},
		"unknown kind":         {{Name: "k", Typeflag: '7'}},
		"directory replaced":   {{Name: "d", Typeflag: tar.TypeDir}, {Name: "d", Typeflag: tar.TypeSymlink, Linkname: "gone"}},
	}
)

func TestImagesHoldWhatDirectoriesHold(t *testing.T) {
	needRoot(t)
	for name, headers := range tarOK {
		if !both(t, name, tarOf(t, headers...)) {
			t.Errorf("%s is refused", name)
		}
	}
	for name, headers := range tarBad {
		if both(t, name, tarOf(t, headers...)) {
			t.Errorf("%s is not refused", name)
		}
	}
	var many []tar.Header
	for i := range 3000 { // several blocks of one directory
		many = append(many, tar.Header{Name: fmt.Sprintf("many/%d-%s", i, strings.Repeat("n", i%200)), Size: int64(i % 7)})
	}
	both(t, "many", tarOf(t, many...))
}

func TestImagesInheritWhatDirectoriesInherit(t *testing.T) {
	needRoot(t)
	near, far := t.TempDir(), t.TempDir()
	mk(t, near, map[string]os.FileMode{"a": 0o700, "a/b": 0o711})
	mk(t, far, map[string]os.FileMode{"a": 0o777, "c": os.ModeSticky | 0o777})
	if err := unix.Setxattr(filepath.Join(near, "a"), "user.k", []byte("v"), 0); err != nil && !errors.Is(err, syscall.ENOTSUP) {
		t.Fatal(err)
	}
	if err := os.Chown(filepath.Join(far, "c"), 5, 70000); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{filepath.Join(near, "a"), filepath.Join(near, "a/b"), filepath.Join(far, "c")} {
		if err := os.Chtimes(d, day, day); err != nil {
			t.Fatal(err)
		}
	}
	both(t, "inherit", tarOf(t, tar.Header{Name: "a/b/f"}, tar.Header{Name: "c/f", Size: 3}, tar.Header{Name: "n/f"},
		tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "c"}, tar.Header{Name: "l/g"}), near, far)
}

// TestImagesHoldWhatDirectoriesHoldAtRandom makes tars of few names, so that entries meet and replace one another.
func TestImagesHoldWhatDirectoriesHoldAtRandom(t *testing.T) {
	needRoot(t)
	seed := time.Now().UnixNano()
	r := rand.New(rand.NewSource(seed))
	unpacked := 0
	for i := range 300 {
		if both(t, fmt.Sprintf("seed %d, %d", seed, i), randomTar(t, r)) {
			unpacked++
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d of 300 were unpacked", unpacked)
}

func randomTar(t *testing.T, r *rand.Rand) []byte {
	name := func() string {
		parts := make([]string, 1+r.Intn(3))
		for i := range parts {
			parts[i] = []string{"a", "b", "c", "d", "..", ".wh.a", ".wh..wh..opq"}[min(r.Intn(16), 12)%7]
		}
		return strings.Join(parts, "/")
	}
	kinds := []byte{tar.TypeReg, tar.TypeReg, tar.TypeDir, tar.TypeDir, tar.TypeDir, tar.TypeSymlink, tar.TypeLink, tar.TypeFifo}
	var list []tar.Header
	for range 1 + r.Intn(12) {
		h := tar.Header{Name: name(), Typeflag: kinds[r.Intn(len(kinds))], Mode: int64(r.Intn(0o10000)), Uid: r.Intn(3) * 40000, ModTime: day.Add(time.Duration(r.Intn(1e9)))}
		switch h.Typeflag {
		case tar.TypeReg:
			h.Size = int64(r.Intn(3) * r.Intn(3000))
			if r.Intn(4) == 0 {
				h.PAXRecords = xattr("user.r", strings.Repeat("r", r.Intn(300)), capability, capNetRaw)
			}
		case tar.TypeSymlink, tar.TypeLink:
			h.Linkname = []string{"", "/"}[r.Intn(2)] + name()
		}
		list = append(list, h)
	}
	return tarOf(t, list...)
}
