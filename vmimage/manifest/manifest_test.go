package manifest

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// made is a directory with an image of two parts, and its manifest's digest.
func made(t *testing.T) (dir, digest string) {
	t.Helper()
	dir = t.TempDir()
	m := Manifest{Format: Format, Arch: "amd64", Version: "1", Kernel: "6.12"}
	for role, text := range map[string]string{Kernel: "the kernel", Initrd: "the rest"} {
		path := filepath.Join(dir, role)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := Describe(role, path)
		if err != nil {
			t.Fatal(err)
		}
		m.Parts = append(m.Parts, p)
	}
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, Name), b, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, Digest(b)
}

func TestAnImageThatIsWholeOpens(t *testing.T) {
	dir, digest := made(t)
	m, err := Read(dir, digest)
	if err != nil {
		t.Fatal(err)
	}
	f, err := m.Open(dir, Kernel)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, err := io.ReadAll(f); err != nil || string(b) != "the kernel" {
		t.Errorf("%q %v", b, err)
	}
}

func TestEveryChangedByteIsRefused(t *testing.T) {
	for _, part := range []string{Kernel, Initrd} {
		dir, digest := made(t)
		m, err := Read(dir, digest)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, part)
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i := range whole {
			bad := append([]byte(nil), whole...)
			bad[i] ^= 1
			refused(t, m, dir, file, bad, part)
		}
		refused(t, m, dir, file, whole[:len(whole)-1], part)
		refused(t, m, dir, file, append(whole[:len(whole):len(whole)], 0), part)
	}
}

func refused(t *testing.T, m Manifest, dir, file string, content []byte, part string) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := m.Open(dir, part)
	if !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), file) {
		t.Errorf("%s as %q: %v", part, content, err)
	}
	if err == nil {
		f.Close()
	}
}

func TestAChangedManifestIsRefused(t *testing.T) {
	dir, digest := made(t)
	file := filepath.Join(dir, Name)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		bad := append([]byte(nil), whole...)
		bad[i] ^= 1
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(dir, digest); err == nil {
			t.Fatalf("byte %d of the manifest may be another", i)
		}
	}
}

func TestAManifestThatMakesNoSenseIsRefused(t *testing.T) {
	sum := strings.Repeat("0", 64)
	for _, text := range []string{
		`{`, `{"format":2}`, `{"format":1}`,
		`{"format":1,"parts":[{"role":"kernel","file":"../x","sha256":"` + sum + `"},{"role":"initrd","file":"y","sha256":"` + sum + `"}]}`,
		`{"format":1,"parts":[{"role":"kernel","file":"x","sha256":"00"},{"role":"initrd","file":"y","sha256":"` + sum + `"}]}`,
	} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s passes", text)
		}
	}
}
