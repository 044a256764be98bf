package idmap

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"
)

// etc makes a directory with the files of a machine that has root and alice.
func etc(t *testing.T, more map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	all := map[string]string{
		"passwd": "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n",
		"group":  "root:x:0:\nalice:x:1000:\nstaff:x:50:",
		"subuid": "root:500000:10\nalice:200000:65536\n1000:400000:1000\n", "subgid": "alice:300000:65536\n50:350000:100\n",
	}
	for name, text := range more {
		all[name] = text
	}
	for name, text := range all {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoad(t *testing.T) {
	dir := etc(t, nil)
	uids := []user.IDMap{{ID: 0, ParentID: 200000, Count: 65536}, {ID: 65536, ParentID: 400000, Count: 1000}}
	own := []user.IDMap{{ID: 0, ParentID: 300000, Count: 65536}}
	staff := []user.IDMap{{ID: 0, ParentID: 350000, Count: 100}}
	for setting, want := range map[string]user.IdentityMapping{
		"": {}, "root": {}, "0": {},
		"alice": {UIDMaps: uids, GIDMaps: own}, "1000": {UIDMaps: uids, GIDMaps: own}, "alice:alice": {UIDMaps: uids, GIDMaps: own},
		"alice:staff": {UIDMaps: uids, GIDMaps: staff}, "1000:50": {UIDMaps: uids, GIDMaps: staff},
	} {
		got, err := Load(dir, setting)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v", setting, got, err)
		}
	}
}

func TestLoadSaysWhatIsMissing(t *testing.T) {
	dir := etc(t, map[string]string{
		"passwd": "bob:x:7:7::/:/bin/sh\ncarol:x:8:8::/:/bin/sh\neve:x:9:9::/:/bin/sh\n", "group": "bob:x:7:\neve:x:9:\n",
		"subuid": "bob:100:5\neve:0:5\n", "subgid": "x:1:1\n",
	})
	for setting, want := range map[string]string{
		"a:b:c":  `Invalid user/group specification in --userns-remap: "a:b:c"`,
		":bob":   `Invalid user/group specification in --userns-remap: ":bob"`,
		"nobody": `Error during uid lookup for "nobody": `,
		"12":     "Uid 12 has no entry in /etc/passwd: ",
		"8":      "Gid 8 has no entry in /etc/group: ",
		"carol":  `Error during gid lookup for "carol": `,
		"bob:zz": `Error during groupname lookup for "zz": `,
		"bob:99": "Gid 99 has no entry in /etc/passwd: ",
		"bob":    `no subgid ranges found for user "bob"`,
		"eve":    "is out of bounds", // it would give the machine's root away
	} {
		if _, err := Load(dir, setting); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", setting, err)
		}
	}
}

func TestDefaultMakesItsUserOnce(t *testing.T) {
	dir := etc(t, nil)
	first, err := Load(dir, "default")
	if err != nil {
		t.Fatal(err)
	}
	want := user.IdentityMapping{
		UIDMaps: []user.IDMap{{ParentID: 500010, Count: 65536}}, GIDMaps: []user.IDMap{{ParentID: 365536, Count: 65536}},
	}
	if !reflect.DeepEqual(first, want) {
		t.Errorf("mapping %+v", first)
	}
	before := contents(t, dir)
	if again, err := Load(dir, "default"); err != nil || !reflect.DeepEqual(again, want) {
		t.Errorf("again %+v, %v", again, err)
	}
	if after := contents(t, dir); after != before {
		t.Errorf("the second time changed the files:\n%s", after)
	}
	if !strings.Contains(before, "staff:x:50:\ndockremap:x:999:\n") || !strings.Contains(before, "dockremap:*:998:999::/:/bin/false\n") {
		t.Errorf("files:\n%s", before)
	}
}

func TestDefaultWithoutSubordinateFiles(t *testing.T) {
	dir := etc(t, nil)
	for _, name := range []string{"subuid", "subgid"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Load(dir, "default")
	if uid, gid := got.RootPair(); err != nil || uid != 100000 || gid != 100000 {
		t.Errorf("%d, %d, %v", uid, gid, err)
	}
}

func contents(t *testing.T, dir string) (all string) {
	t.Helper()
	for _, name := range []string{"passwd", "group", "subuid", "subgid"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all += string(b)
	}
	return all
}

func TestNamespaceHoldsTheMapping(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mapping ids needs root")
	}
	ids := user.IdentityMapping{
		UIDMaps: []user.IDMap{{ID: 0, ParentID: 100000, Count: 1000}}, GIDMaps: []user.IDMap{{ID: 0, ParentID: 200000, Count: 1000}},
	}
	var kept fs.FileInfo
	var child int
	err := Within(ids, unix.CLONE_NEWNET, func(pid int) error {
		child = pid
		for file, want := range map[string]string{"uid_map": "0 100000 1000", "gid_map": "0 200000 1000", "setgroups": "allow"} {
			b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), file))
			if got := strings.Join(strings.Fields(string(b)), " "); err != nil || got != want {
				t.Errorf("%s: %q, %v", file, got, err)
			}
		}
		var err error
		kept, err = os.Stat(filepath.Join("/proc", strconv.Itoa(pid), "ns/net"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if own, err := os.Stat("/proc/self/ns/net"); err != nil || os.SameFile(own, kept) {
		t.Errorf("the network is ours (%v)", err)
	}
	if err := unix.Kill(child, 0); err == nil {
		t.Error("the process is left")
	}
	ns, err := Namespace(ids)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	if kind, err := unix.IoctlRetInt(int(ns.Fd()), unix.NS_GET_NSTYPE); err != nil || kind != unix.CLONE_NEWUSER {
		t.Errorf("%x, %v", kind, err)
	}
}
