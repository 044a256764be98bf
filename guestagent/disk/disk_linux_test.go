package disk

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// tools runs the machine's own e2fsprogs in place of the image's.
func tools(ctx context.Context, argv ...string) (string, int, error) {
	cmd := exec.CommandContext(ctx, filepath.Base(argv[0]), argv[1:]...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(out), exit.ExitCode(), nil
	}
	return string(out), 0, err
}

func TestFormatCheckAndRepairOfAFile(t *testing.T) {
	if _, err := exec.LookPath("mke2fs"); err != nil {
		t.Skip("needs e2fsprogs")
	}
	const size = 512 << 20
	file := filepath.Join(t.TempDir(), "disk")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	look := func() Found {
		t.Helper()
		got, err := Look(f, size)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	c := Candidate{Path: file, Size: size, Found: look()}
	if c.Kind != Blank {
		t.Fatalf("a new file is %+v", c.Found)
	}
	if _, err := Prepare(t.Context(), tools, c, Format); err != nil {
		t.Fatal(err)
	}
	made := look()
	if made.Kind != Ours || !made.Clean {
		t.Fatalf("formatted: %+v", made)
	}
	if n, err := blocks(file); err != nil || n != size/blockSize {
		t.Errorf("%d blocks, %v", n, err)
	}
	// The first block goes: what a stray write to the disk's beginning does.
	if _, err := f.WriteAt(make([]byte, 4096), 0); err != nil {
		t.Fatal(err)
	}
	c.Found = look()
	if c.Kind != Damaged || c.UUID != made.UUID {
		t.Fatalf("without its first superblock: %+v", c.Found)
	}
	if done, err := Prepare(t.Context(), tools, c, Repair); err != nil || done == "" {
		t.Fatalf("repair: %q %v", done, err)
	}
	if got := look(); got.Kind != Ours || !got.Clean || got.UUID != made.UUID {
		t.Errorf("repaired: %+v", got)
	}
}

func TestACheckThatCannotRepairSaysSo(t *testing.T) {
	fails := func(context.Context, ...string) (string, int, error) { return "e2fsck 1\nit is beyond help\n", 8, nil }
	_, err := Prepare(t.Context(), fails, Candidate{Path: "/dev/x"}, Check)
	if err == nil || err.Error() != "checking /dev/x: e2fsck ended with 8: it is beyond help" {
		t.Errorf("error %v", err)
	}
}
