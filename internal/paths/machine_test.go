package paths

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestWhereAPersonsDataIs(t *testing.T) {
	xdg := map[string]string{"XDG_DATA_HOME": "/x"}
	for _, c := range []struct {
		goos, home, want string
		env              map[string]string
	}{
		{"linux", "", DefaultRoot, xdg},
		{"linux", "/home/u", "/home/u/.local/share/berth", nil},
		{"linux", "/home/u", "/x/berth", xdg},
		{"darwin", "/Users/u", "/Users/u/Library/Application Support/berth", xdg},
		{"windows", "/u", "/local/berth", map[string]string{"LOCALAPPDATA": "/local"}},
	} {
		if got := filepath.ToSlash(dataDir(c.goos, c.home, func(k string) string { return c.env[k] })); got != c.want {
			t.Errorf("%s, home %q: %s; want %s", c.goos, c.home, got, c.want)
		}
	}
}

// The longest names that people and machines have leave a socket's name within what the system takes.
func TestSocketsOfAMacHaveShortNames(t *testing.T) {
	const mostName = 32 // of ValidMachine
	home, name := "/Users/"+strings.Repeat("u", 32), strings.Repeat("m", mostName)
	if !ValidMachine(name) || ValidMachine(name+"m") {
		t.Fatal("ValidMachine has another bound")
	}
	dir := home + "/Library/Application Support/berth/machines/" + name
	got := socketDir("darwin", dir)
	if got != home+"/.berth/run/"+name {
		t.Error(got)
	}
	if n := len(got + "/keeper.sock"); n >= 104 {
		t.Errorf("%d bytes", n)
	}
	for goos, dir := range map[string]string{"linux": dir, "darwin": "/root/machines/default"} {
		if got := socketDir(goos, dir); got != dir {
			t.Errorf("%s: %s", goos, got)
		}
	}
}

func TestAMachineIsFoundByItsSocket(t *testing.T) {
	env := func(string) string { return "/r" }
	m := MachineNamed("box", env)
	if got, ok := MachineAt(m.DockerSocket(), env); !ok || got != m {
		t.Errorf("%+v, %v", got, ok)
	}
	if _, ok := MachineAt(m.AgentSocket(), env); ok {
		t.Error("another socket is taken for the API")
	}
}
