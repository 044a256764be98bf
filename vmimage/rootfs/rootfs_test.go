package rootfs

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func files() []File {
	return []File{
		{Name: "sbin/tool", Mode: 0o755, Data: []byte("tool")},
		{Name: "init", Mode: 0o755, Data: bytes.Repeat([]byte("agent"), 5000)},
		{Name: "lib/modules/order", Mode: 0o644, Data: []byte("boot vsock\n")},
	}
}

func TestTheSameFilesMakeTheSameArchive(t *testing.T) {
	var a, b bytes.Buffer
	list := files()
	if err := WriteCPIO(&a, list, "proc", "dev"); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(list)
	if err := WriteCPIO(&b, list, "dev", "proc"); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("two archives of the same files differ")
	}
	if a.Len()%512 != 0 {
		t.Errorf("%d bytes are no whole blocks", a.Len())
	}
}

func TestCPIOReadsTheArchive(t *testing.T) {
	if _, err := exec.LookPath("cpio"); err != nil {
		t.Skip("needs cpio")
	}
	var a bytes.Buffer
	if err := WriteCPIO(&a, files(), "proc"); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command("cpio", "-idm", "--quiet", "--no-absolute-filenames")
	cmd.Dir, cmd.Stdin = dir, &a
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, f := range files() {
		b, err := os.ReadFile(filepath.Join(dir, f.Name))
		if err != nil || !bytes.Equal(b, f.Data) {
			t.Errorf("%s: %d bytes, %v", f.Name, len(b), err)
		}
	}
}

func TestTheSameFilesMakeTheSameEROFS(t *testing.T) {
	if _, err := exec.LookPath("mkfs.erofs"); err != nil {
		t.Skip("needs erofs-utils")
	}
	dir := t.TempDir()
	var sums [2]string
	for i := range sums {
		image := filepath.Join(dir, strings.Repeat("x", i+1))
		list := files()
		if i == 1 {
			slices.Reverse(list)
		}
		if err := WriteEROFS(image, list); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(image)
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = string(b)
	}
	if sums[0] != sums[1] {
		t.Error("two images of the same files differ")
	}
}
