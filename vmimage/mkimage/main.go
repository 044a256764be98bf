package main

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"

	"github.com/berthhq/berth/vmimage/inputs"
	"github.com/berthhq/berth/vmimage/kernel"
	"github.com/berthhq/berth/vmimage/manifest"
	"github.com/berthhq/berth/vmimage/rootfs"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mkimage:", err)
		os.Exit(1)
	}
}

// options are the command line's.
type options struct {
	arch, out, cache, ldflags, version, prebuilt string
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	var o options
	f := flag.NewFlagSet("mkimage", flag.ContinueOnError)
	f.StringVar(&o.arch, "arch", runtime.GOARCH, "architecture: amd64 or arm64")
	f.StringVar(&o.out, "o", "", "directory for the image (required)")
	f.StringVar(&o.cache, "cache", ".cache/vmimage", "directory for inputs and what is compiled of them")
	f.StringVar(&o.ldflags, "ldflags", "-s -w", "for berth's programs")
	f.StringVar(&o.prebuilt, "programs", "", "directory of programs that are built already, for trying things out (default: build them)")
	f.StringVar(&o.version, "version", "0.1.0-dev", "of the image")
	if err := f.Parse(args); err != nil {
		return err
	}
	if o.out == "" || (o.arch != "amd64" && o.arch != "arm64") {
		return fmt.Errorf("-o is required, and -arch must be amd64 or arm64")
	}
	var err error
	if o.cache, err = filepath.Abs(o.cache); err != nil { // programs that are run elsewhere are given it
		return err
	}
	m, err := o.make(ctx)
	if err != nil {
		return fmt.Errorf("image for %s: %w", o.arch, err)
	}
	b, err := m.Encode()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(o.out, manifest.Name), b, 0o644); err != nil {
		return err
	}
	for _, p := range m.Parts {
		fmt.Fprintf(stdout, "%s  %s (%d bytes)\n", p.SHA256, filepath.Join(o.out, p.File), p.Size)
	}
	fmt.Fprintf(stdout, "%s  %s\n", manifest.Digest(b), filepath.Join(o.out, manifest.Name))
	return nil
}

// make writes the parts and describes them.
func (o options) make(ctx context.Context) (manifest.Manifest, error) {
	m := manifest.Manifest{Format: manifest.Format, Arch: o.arch, Version: o.version, Inputs: map[string]string{}}
	files := map[string]string{}
	for _, name := range []string{"kernel", "e2fsprogs", "ca-certificates", "busybox"} {
		in, err := inputs.Find(name, o.arch)
		if err != nil {
			return m, err
		}
		if files[name], err = in.Fetch(ctx, o.cache); err != nil {
			return m, err
		}
		m.Inputs[name] = in.SHA256
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return m, err
	}
	pkg, err := kernel.Open(files["kernel"])
	if err != nil {
		return m, err
	}
	m.Kernel = pkg.Version
	boot, err := pkg.Boot(o.arch)
	if err != nil {
		return m, err
	}
	root, err := o.initramfs(ctx, pkg, files, m.Inputs)
	if err != nil {
		return m, err
	}
	for _, p := range []struct {
		role, file string
		data       []byte
	}{{manifest.Kernel, "vmlinux", boot}, {manifest.Initrd, "initramfs.cpio", root}} {
		path := filepath.Join(o.out, p.file)
		if err := os.WriteFile(path, p.data, 0o644); err != nil {
			return m, err
		}
		part, err := manifest.Describe(p.role, path)
		if err != nil {
			return m, err
		}
		m.Parts = append(m.Parts, part)
	}
	return m, nil
}

// initramfs puts together everything but the kernel.
func (o options) initramfs(ctx context.Context, pkg *kernel.Package, files, sums map[string]string) ([]byte, error) {
	work, err := os.MkdirTemp("", "berth-mkimage-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	modules, err := pkg.Modules()
	if err != nil {
		return nil, err
	}
	system, err := o.system(ctx, work, modules, files, sums)
	if err != nil {
		return nil, err
	}
	image := filepath.Join(work, "root.erofs")
	if err := rootfs.WriteEROFS(image, system); err != nil {
		return nil, err
	}
	erofs, err := os.ReadFile(image)
	if err != nil {
		return nil, err
	}
	agent, err := os.ReadFile(filepath.Join(cmp.Or(o.prebuilt, work), "berth-guestagent"))
	if err != nil {
		return nil, err
	}
	early := []rootfs.File{{Name: "init", Mode: 0o755, Data: agent}, {Name: "root.erofs", Mode: 0o644, Data: erofs}}
	early = append(early, moduleFiles("modules", modules, true)...)
	var out bytes.Buffer
	err = rootfs.WriteCPIO(&out, early, "proc", "sys", "dev", "newroot")
	return out.Bytes(), err
}

// system is what lies below /usr in the guest.
func (o options) system(ctx context.Context, work string, modules []kernel.Module, files, sums map[string]string) ([]rootfs.File, error) {
	mke2fs, e2fsck, err := rootfs.E2fsprogs(ctx, files["e2fsprogs"], o.cache, sums["e2fsprogs"][:16], o.arch)
	if err != nil {
		return nil, err
	}
	certs, err := rootfs.Certificates(files["ca-certificates"])
	if err != nil {
		return nil, err
	}
	busybox, err := rootfs.Busybox(files["busybox"])
	if err != nil {
		return nil, err
	}
	out := []rootfs.File{
		{Name: "sbin/mke2fs", Mode: 0o755, Data: mke2fs},
		{Name: "sbin/e2fsck", Mode: 0o755, Data: e2fsck},
		{Name: "lib/berth/shell/busybox", Mode: 0o755, Data: busybox},
		{Name: "lib/berth/ssl/certs/ca-certificates.crt", Mode: 0o644, Data: certs},
	}
	out = append(out, moduleFiles("lib/berth/modules", modules, false)...)
	programs, err := o.programs(ctx, work)
	return append(out, programs...), err
}

// moduleFiles are the modules of the boot, or all others, with the list of all.
func moduleFiles(dir string, modules []kernel.Module, boot bool) []rootfs.File {
	out := []rootfs.File{{Name: dir + "/order", Mode: 0o644, Data: []byte(kernel.List(modules))}}
	for _, m := range modules {
		if (m.Stage == "boot") == boot {
			out = append(out, rootfs.File{Name: dir + "/" + m.Name + ".ko", Mode: 0o644, Data: m.Data})
		}
	}
	return out
}
