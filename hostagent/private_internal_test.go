package hostagent

import (
	"net"
	"os"
	"strconv"
	"testing"

	"github.com/berthhq/berth/internal/paths"
)

func TestPortsOfTheAgentAndOfWindowsArePrivate(t *testing.T) {
	t.Setenv("BERTH_ROOT", t.TempDir())
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := uint16(l.Addr().(*net.TCPAddr).Port)
	a := &Agent{}
	one, two := a.Withhold(l), a.Withhold(l)
	one()
	one()
	if !a.private.has(port) {
		t.Error("a port of which one listener of two is gone may be reached")
	}
	two()
	if a.private.has(port) {
		t.Error("a port that nobody withholds may not be reached")
	}
	w := paths.WindowFor("unix:///x", os.Getenv)
	if err := os.MkdirAll(w.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if ofWindow(port) {
		t.Error("a window that is not served has a port")
	}
	if err := os.WriteFile(w.Port(), []byte(strconv.Itoa(int(port))), 0o600); err != nil {
		t.Fatal(err)
	}
	if !ofWindow(port) || ofWindow(port+1) {
		t.Error("the window's port is not known")
	}
}
