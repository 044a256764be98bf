package fileshare

import (
	"errors"
	"testing"
)

func TestResolve(t *testing.T) {
	unixTable, err := NewTable("darwin", []Share{{Name: "users", Path: "/Users"}, {Name: "me", Path: "/Users/me/", ReadOnly: true}})
	if err != nil {
		t.Fatal(err)
	}
	windows, err := NewTable("windows", []Share{{Name: "c", Path: `C:\`}, {Name: "d", Path: `d:\Work Files`}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		table             *Table
		path, share, rest string
	}{
		{unixTable, "/Users/you/src", "users", "you/src"},
		{unixTable, "/Users/me/a b", "me", "a b"},
		{unixTable, "/Users/me", "me", ""},
		{unixTable, "/Users/me2", "users", "me2"},
		{unixTable, "/Users/me/../you", "users", "you"},
		{unixTable, "/Users/../etc/passwd", "", ""},
		{unixTable, "/Usersx", "", ""},
		{windows, `C:\a\b`, "c", "a/b"},
		{windows, `c:/A`, "c", "A"},
		{windows, `D:\work files\X`, "d", "X"},
		{windows, `D:\other`, "", ""},
		{windows, `/c/A`, "c", "A"},
		{windows, `/c/../../A`, "c", "A"},
		{windows, `/d/other`, "", ""},
	} {
		s, rest, err := c.table.Resolve(c.path)
		var outside *Outside
		if c.share == "" && !errors.As(err, &outside) || c.share != "" && err != nil || s.Name != c.share || rest != c.rest {
			t.Errorf("%s: %q %q %v, want %q %q", c.path, s.Name, rest, err, c.share, c.rest)
		}
	}
	for _, bad := range []string{"relative", "", `C:relative`} {
		if _, _, err := windows.Resolve(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, err := NewTable("linux", []Share{{Name: "a", Path: "/a"}, {Name: "a", Path: "/b"}}); err == nil {
		t.Error("two shares have one name")
	}
}
