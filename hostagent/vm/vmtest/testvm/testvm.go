//go:build linux

// Package testvm makes a virtual machine that boots: Debian's kernel, as the image has it, and an initramfs whose only
// program serves package guest. Only tests import it.
package testvm

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/vmimage/inputs"
	"github.com/berthhq/berth/vmimage/kernel"
)

// Image is a kernel and an initramfs, as files.
type Image struct{ Kernel, Initrd string }

// Make puts an image together in a directory of the test's. The kernel's package is fetched once into the cache that
// the image's own build uses; where there is no network, only a test run by CI fails.
func Make(t testing.TB, arch string) Image {
	t.Helper()
	if testing.Short() {
		t.Skip("a virtual machine takes seconds to boot")
	}
	cache, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	in, err := inputs.Find("kernel", arch)
	if err != nil {
		t.Fatal(err)
	}
	deb, err := in.Fetch(ctx, cache)
	if err != nil && os.Getenv("CI") == "" {
		t.Skipf("no kernel: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	pkg, err := kernel.Open(deb)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	image := Image{Kernel: filepath.Join(dir, "kernel"), Initrd: filepath.Join(dir, "initrd")}
	boot, err := pkg.Boot(arch)
	if err != nil {
		t.Fatal(err)
	}
	initrd, err := initramfs(pkg, program(t, dir, arch))
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{image.Kernel: boot, image.Initrd: initrd} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return image
}

// cacheDir is .cache/vmimage of the tree, wherever in it the test runs.
func cacheDir() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("where is the tree: %w", err)
	}
	return filepath.Join(filepath.Dir(strings.TrimSpace(string(out))), ".cache", "vmimage"), nil
}

// program builds the guest's first process.
func program(t testing.TB, dir, arch string) []byte {
	t.Helper()
	file := filepath.Join(dir, "init")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-o", file, "github.com/berthhq/berth/hostagent/vm/vmtest/init")
	cmd.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the guest: %v\n%s", err, out)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// initramfs is a cpio archive with /init and the modules of vsock in the order of loading.
func initramfs(pkg *kernel.Package, init []byte) ([]byte, error) {
	modules, err := pkg.Modules()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := &archive{to: &b}
	for _, dir := range []string{"dev", "proc", "modules"} {
		w.add(dir, 0o40755, nil)
	}
	w.node("dev/console", 5, 1)
	w.add("init", 0o100755, init)
	var order []string
	for _, m := range modules {
		if strings.Contains(m.Name, "vsock") && !strings.Contains(m.Name, "hv_") || m.Name == "vsock" {
			w.add("modules/"+m.Name, 0o100644, m.Data)
			order = append(order, m.Name)
		}
	}
	w.add("modules/order", 0o100644, []byte(strings.Join(order, "\n")))
	w.add("TRAILER!!!", 0, nil)
	return b.Bytes(), nil
}

// archive writes the newc form of cpio.
type archive struct {
	to  *bytes.Buffer
	ino int
}

func (a *archive) add(name string, mode int, data []byte) { a.entry(name, mode, data, 0, 0) }
func (a *archive) node(name string, major, minor int)     { a.entry(name, 0o20600, nil, major, minor) }

func (a *archive) entry(name string, mode int, data []byte, major, minor int) {
	a.ino++
	a.to.WriteString("070701")
	for _, n := range []int{a.ino, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name) + 1, 0} {
		fmt.Fprintf(a.to, "%08x", n)
	}
	a.to.WriteString(name + "\x00")
	a.pad()
	a.to.Write(data)
	a.pad()
}

func (a *archive) pad() {
	for a.to.Len()%4 != 0 {
		a.to.WriteByte(0)
	}
}

// Config describes a machine with the image, in a directory of its own.
func (i Image) Config(t testing.TB, arch string) (vm.Config, vm.Files) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var opened [2]*os.File
	for n, name := range []string{i.Kernel, i.Initrd} {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		opened[n] = f
	}
	return vm.Config{
		Name: "contract", Dir: dir, Arch: arch, CPUs: 1, Memory: 512 << 20, Accelerator: vm.Emulation, Cmdline: []string{"loglevel=4"},
	}, vm.Files{Kernel: opened[0], Initrd: opened[1]}
}
