package bootimage_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berthhq/berth/hostagent/bootimage"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/vmimage/manifest"
)

// install makes an image whose kernel says so.
func install(t *testing.T, kernel string) (dir, digest string) {
	t.Helper()
	dir = t.TempDir()
	m := manifest.Manifest{Format: manifest.Format, Arch: "amd64"}
	for role, text := range map[string]string{manifest.Kernel: kernel, manifest.Initrd: "initrd"} {
		if err := os.WriteFile(filepath.Join(dir, role), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		p, err := manifest.Describe(role, filepath.Join(dir, role))
		if err != nil {
			t.Fatal(err)
		}
		m.Parts = append(m.Parts, p)
	}
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, manifest.Name), b, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir, manifest.Digest(b)
}

func boots(t *testing.T, s bootimage.Store, digest, want string) {
	t.Helper()
	img, err := s.Open(digest)
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	if b, err := io.ReadAll(img.Kernel); err != nil || string(b) != want {
		t.Errorf("kernel %q, %v", b, err)
	}
}

func TestAnImageOutlivesItsInstallation(t *testing.T) {
	old, first := install(t, "old kernel")
	s := bootimage.Store{Installed: old, Kept: filepath.Join(t.TempDir(), "images")}
	boots(t, s, first, "old kernel")
	next, second := install(t, "new kernel")
	s.Installed = next
	boots(t, s, second, "new kernel")
	boots(t, s, first, "old kernel") // the way back
	if err := s.Prune(second); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(first); err == nil {
		t.Error("the old image is still there")
	}
	boots(t, s, second, "new kernel")
}

func TestAChangedByteIsRefused(t *testing.T) {
	for _, name := range []string{manifest.Kernel, manifest.Initrd, manifest.Name} {
		dir, digest := install(t, "kernel")
		s := bootimage.Store{Installed: dir, Kept: t.TempDir()}
		path := filepath.Join(dir, name)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(digest); err == nil || !strings.Contains(err.Error(), path) || errdefs.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
		if left, err := os.ReadDir(s.Kept); err != nil || len(left) > 0 {
			t.Errorf("%s: kept %v, %v", name, left, err)
		}
	}
}

func TestADamagedCopyIsReplaced(t *testing.T) {
	dir, digest := install(t, "kernel")
	s := bootimage.Store{Installed: dir, Kept: t.TempDir()}
	boots(t, s, digest, "kernel")
	kept := filepath.Join(s.Kept, digest, manifest.Kernel)
	if err := os.Remove(kept); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kept, []byte("kerneX"), 0o600); err != nil {
		t.Fatal(err)
	}
	boots(t, s, digest, "kernel")
	boots(t, bootimage.Store{Installed: t.TempDir(), Kept: s.Kept}, digest, "kernel")
}

func TestAMissingImageIsNamed(t *testing.T) {
	s := bootimage.Store{Installed: t.TempDir(), Kept: t.TempDir()}
	if _, err := s.Open(strings.Repeat("0", 64)); errdefs.KindOf(err) != errdefs.KindNotFound || !strings.Contains(err.Error(), s.Installed) {
		t.Errorf("%v", err)
	}
	if _, err := s.Open(""); err == nil || !strings.Contains(errdefs.HintOf(err), "make vmimage") {
		t.Errorf("%v", err)
	}
}
