//go:build linux

package runtime

import (
	"os"
	"path/filepath"
	"testing"
)

// A machine with AppArmor in its kernel but without apparmor_parser runs containers all the same.
func TestAppArmorNeedsItsParser(t *testing.T) {
	root, in := t.TempDir(), ""
	env := func(string) string { return in }
	if loadable(root, env) {
		t.Error("loadable without securityfs")
	}
	if err := os.MkdirAll(filepath.Join(root, "sys/kernel/security/apparmor"), 0o755); err != nil {
		t.Fatal(err)
	}
	if loadable(root, env) {
		t.Error("loadable without apparmor_parser")
	}
	if err := os.MkdirAll(filepath.Join(root, "sbin/apparmor_parser"), 0o755); err != nil {
		t.Fatal(err)
	}
	if !loadable(root, env) {
		t.Error("not loadable with kernel and parser")
	}
	if in = "lxc"; loadable(root, env) {
		t.Error("loadable from inside a container")
	}
}
