//go:build linux

package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"
)

var ids = user.IdentityMapping{
	UIDMaps: []user.IDMap{{ID: 0, ParentID: 100000, Count: 1000}, {ID: 1000, ParentID: 300000, Count: 10}},
	GIDMaps: []user.IDMap{{ID: 0, ParentID: 200000, Count: 1000}},
}

func ownerOf(name string) string {
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		return err.Error()
	}
	return fmt.Sprint(st.Uid, ":", st.Gid)
}

func TestMappedRootIsReadWithTheContainersIDs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("changing owners needs root")
	}
	r, dir := root(t)
	for name, to := range map[string][2]int{"d/root": {100000, 200000}, "d/www": {100033, 200034}, "d/far": {300009, 200999}, "d/machine": {0, 1}, "d/beyond": {300010, 201000}} {
		put(t, dir+"/"+name, "x")
		if err := os.Chown(dir+"/"+name, to[0], to[1]); err != nil {
			t.Fatal(err)
		}
	}
	rc, _, err := r.Mapped(ids).Read("/d")
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	got := map[string]string{}
	for tr := tar.NewReader(rc); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got[h.Name] = fmt.Sprint(h.Uid, ":", h.Gid)
	}
	for name, want := range map[string]string{"d/root": "0:0", "d/www": "33:34", "d/far": "1009:999", "d/machine": "65534:65534", "d/beyond": "65534:65534"} {
		if got[name] != want {
			t.Errorf("%s is %s's, want %s", name, got[name], want)
		}
	}
}

func TestMappedRootIsWrittenWithTheMachinesIDs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("changing owners needs root")
	}
	r, dir := root(t)
	r = r.Mapped(ids)
	err := r.Write("/", archive(t,
		tar.Header{Name: "d/", Typeflag: tar.TypeDir, Uid: 5, Gid: 6},
		tar.Header{Name: "new/f", Typeflag: tar.TypeReg, Uid: 1009, Gid: 7},
		tar.Header{Name: "d/l", Typeflag: tar.TypeSymlink, Linkname: "f"}), WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Write("/", archive(t, tar.Header{Name: "given", Typeflag: tar.TypeReg, Uid: 1, Gid: 1}), WriteOptions{Owner: &Owner{33, 34}}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"d": "100005:200006", "new": "100000:200000", "new/f": "300009:200007", "d/l": "100000:200000", "given": "100033:200034"} {
		if got := ownerOf(dir + "/" + name); got != want {
			t.Errorf("%s is %s's, want %s", name, got, want)
		}
	}
	err = r.Write("/", archive(t, tar.Header{Name: "beyond", Typeflag: tar.TypeReg, Uid: 5000}), WriteOptions{})
	if errdefs.KindOf(err) != errdefs.KindInvalid || !strings.Contains(err.Error(), "beyond") {
		t.Errorf("a user that the container has not: %v", err)
	}
	if _, err := os.Lstat(dir + "/beyond"); err == nil {
		t.Error("it was made")
	}
}
