package fileshare

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/berthhq/berth/hostagent/fileshare"
)

func TestBothSidesSeeEachOther(t *testing.T) {
	s := mounted(t, fileshare.Options{})
	must(t, os.WriteFile(filepath.Join(s.host, "from host"), []byte("hello"), 0o644))
	if got := read(t, filepath.Join(s.guest, "from host")); got != "hello" {
		t.Fatalf("guest reads %q", got)
	}
	must(t, os.MkdirAll(filepath.Join(s.guest, "a/b c"), 0o755))
	must(t, os.WriteFile(filepath.Join(s.guest, "a/b c/file"), []byte("from guest"), 0o600))
	if got := read(t, filepath.Join(s.host, "a/b c/file")); got != "from guest" {
		t.Fatalf("host reads %q", got)
	}
	names := list(t, s.guest)
	if want := []string{"a", "from host"}; !equal(names, want) {
		t.Fatalf("guest lists %q, want %q", names, want)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return string(b)
}

func list(t testing.TB, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
