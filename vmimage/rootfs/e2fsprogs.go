package rootfs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// E2fsprogs builds mke2fs and e2fsck from their source, static and small, or takes them from the cache. key names the
// source and must change with it.
func E2fsprogs(ctx context.Context, source, cache, key, arch string) (mke2fs, e2fsck []byte, err error) {
	dir := filepath.Join(cache, "e2fsprogs-"+key+"-"+arch)
	names := []string{"mke2fs", "e2fsck"}
	if _, err := os.Stat(filepath.Join(dir, names[1])); err != nil {
		if err := buildE2fsprogs(ctx, source, dir, arch); err != nil {
			return nil, nil, fmt.Errorf("e2fsprogs for %s: %w", arch, err)
		}
	}
	if mke2fs, err = os.ReadFile(filepath.Join(dir, names[0])); err != nil {
		return nil, nil, err
	}
	e2fsck, err = os.ReadFile(filepath.Join(dir, names[1]))
	return mke2fs, e2fsck, err
}

// compiler is the C compiler for an architecture.
func compiler(arch string) string {
	if arch == runtime.GOARCH {
		return "gcc"
	}
	return map[string]string{"amd64": "x86_64-linux-gnu-gcc", "arm64": "aarch64-linux-gnu-gcc"}[arch]
}

func buildE2fsprogs(ctx context.Context, source, dir, arch string) error {
	work, err := os.MkdirTemp("", "berth-e2fsprogs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	host := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[arch]
	steps := [][]string{
		{"tar", "-xzf", source, "-C", work, "--strip-components=1"},
		{"./configure", "--host=" + host, "--disable-nls", "--disable-uuidd", "--disable-fsck", "--disable-debugfs", "--disable-imager",
			"--disable-resizer", "--disable-defrag", "--disable-tdb", "--disable-backtrace", "--disable-bmap-stats"},
		{"make", "-j2", "libs"},
		{"make", "-C", "misc", "mke2fs"},
		{"make", "-C", "e2fsck", "e2fsck"},
	}
	for _, argv := range steps {
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Dir = work
		cmd.Env = append(os.Environ(), "LC_ALL=C", "SOURCE_DATE_EPOCH=0", "CC="+compiler(arch), "MAKEFLAGS=",
			"CFLAGS=-Os -g0 -ffunction-sections -fdata-sections -ffile-prefix-map="+work+"=.",
			"LDFLAGS=-static -s -Wl,--gc-sections -Wl,--build-id=none")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", argv[0], err, last(out, 2000))
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, p := range []string{"misc/mke2fs", "e2fsck/e2fsck"} { // e2fsck last: it says that all is there
		b, err := os.ReadFile(filepath.Join(work, p))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(p)), b, 0o755); err != nil {
			return err
		}
	}
	return nil
}

func last(out []byte, n int) []byte { return bytes.TrimSpace(out[max(0, len(out)-n):]) }
