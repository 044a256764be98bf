//go:build linux

package identity

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestApply(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:web:/srv:/bin/sh\n")
	write("etc/group", "root:x:0:\nadm:x:4:root\nwww:x:34:\nvideo:x:44:web\n")
	root, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, tc := range []struct {
		name     string
		groups   []string
		uid, gid uint32
		more     []uint32
		home     string
		err      string
	}{
		{name: "", uid: 0, gid: 0, more: []uint32{0, 4}, home: "/root"},
		{name: "web", uid: 33, gid: 34, more: []uint32{34, 44}, home: "/srv"},
		{name: "web:root", uid: 33, gid: 0, more: []uint32{0}, home: "/srv"},
		{name: "7:9", uid: 7, gid: 9, more: []uint32{9}, home: "/"},
		{name: "33", groups: []string{"adm", "99"}, uid: 33, gid: 34, more: []uint32{34, 44, 4, 99}, home: "/srv"},
		{name: "nobody", err: "unable to find user nobody: no matching entries in passwd file"},
		{name: "web:nogroup", err: "unable to find group nogroup: no matching entries in group file"},
		{name: "4294967296", err: "range 0-2147483647"},
		{name: "-1", err: "range 0-2147483647"},
		{name: "0x0", err: "unable to find user 0x0"},
	} {
		p := &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: []string{"CAP_KILL"}, Effective: []string{"CAP_KILL"}}}
		err := Apply(p, root, tc.name, tc.groups)
		if tc.err != "" {
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%q: error %v, want %q", tc.name, err, tc.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", tc.name, err)
			continue
		}
		if p.User.UID != tc.uid || p.User.GID != tc.gid || !slices.Equal(p.User.AdditionalGids, tc.more) {
			t.Errorf("%q: got %+v", tc.name, p.User)
		}
		if !slices.Contains(p.Env, "HOME="+tc.home) {
			t.Errorf("%q: env %v, want home %s", tc.name, p.Env, tc.home)
		}
		if root := len(p.Capabilities.Effective) == 1; root != (tc.uid == 0) {
			t.Errorf("%q: effective capabilities %v", tc.name, p.Capabilities.Effective)
		}
	}
}

func TestApplyStaysInside(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(outside, []byte("evil:x:0:0::/:/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "etc", "passwd")); err != nil {
		t.Fatal(err)
	}
	root, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := Apply(&specs.Process{}, root, "evil", nil); err == nil {
		t.Fatal("a passwd file outside the root was read")
	}
}

func FuzzApply(f *testing.F) {
	f.Add("root:x:0:0:root:/root:/bin/sh\n", "root:x:0:\n", "root", "adm")
	f.Add(":::::::\n", "x:x:-1:a,b\n", "4294967296:0x1", "-1")
	f.Fuzz(func(t *testing.T, passwd, group, name, add string) {
		dir := t.TempDir()
		_ = os.Mkdir(filepath.Join(dir, "etc"), 0o755)
		_ = os.WriteFile(filepath.Join(dir, "etc/passwd"), []byte(passwd), 0o644)
		_ = os.WriteFile(filepath.Join(dir, "etc/group"), []byte(group), 0o644)
		root, err := os.Open(dir)
		if err != nil {
			t.Skip()
		}
		defer root.Close()
		p := &specs.Process{Capabilities: &specs.LinuxCapabilities{Effective: []string{"CAP_KILL"}}}
		if err := Apply(p, root, name, []string{add}); err == nil && p.User.UID != 0 && len(p.Capabilities.Effective) > 0 {
			t.Fatalf("user %d kept capabilities", p.User.UID)
		}
	})
}

// What asks for HOME with nothing in it gets the user's, as from runc.
func TestAnEmptyHomeIsNone(t *testing.T) {
	for in, want := range map[string]string{"HOME=": "[A=b HOME=/srv]", "HOME=/x": "[HOME=/x A=b]"} {
		if got := fmt.Sprint(withHome([]string{in, "A=b"}, "/srv")); got != want {
			t.Errorf("%s gives %s, want %s", in, got, want)
		}
	}
}
