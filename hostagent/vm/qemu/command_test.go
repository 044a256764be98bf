//go:build linux

package qemu

import (
	"slices"
	"strings"
	"testing"

	"github.com/berthhq/berth/hostagent/vm"
)

func describe(change func(*vm.Config)) vm.Config {
	c := vm.Config{
		Name: "default", Dir: "/nowhere", Arch: "amd64", CPUs: 4, Memory: 2 << 30, Accelerator: vm.Emulation,
		Cmdline: []string{"berth.x=1"}, Disks: []vm.Disk{{Name: "root", ReadOnly: true}, {Name: "data, mine"}},
	}
	change(&c)
	return c
}

// value is what follows an option.
func value(args []string, option string) (all []string) {
	for i, a := range args {
		if a == option {
			all = append(all, args[i+1])
		}
	}
	return all
}

func TestCommandLines(t *testing.T) {
	old, recent := Program{Major: 7, Minor: 2}, Program{Major: 10}
	for name, c := range map[string]struct {
		host              host
		config            vm.Config
		machine, cpu, smp string
		append            string
	}{
		"amd64, emulated by an old QEMU": {
			host{"amd64", old, 2400000}, describe(func(*vm.Config) {}), "q35,usb=off,vmport=off,sata=off,smbus=off,accel=tcg,memory-backend=mem", "max", "1",
			"console=ttyS0 panic=-1 quiet cryptomgr.notests clearcpuid=cx16 tsc_early_khz=2400000 tsc=reliable berth.x=1",
		},
		"amd64, emulated on arm64": {
			host{"arm64", old, 0}, describe(func(*vm.Config) {}), "q35,usb=off,vmport=off,sata=off,smbus=off,accel=tcg,memory-backend=mem", "max", "1",
			"console=ttyS0 panic=-1 quiet cryptomgr.notests clearcpuid=cx16 berth.x=1",
		},
		"amd64, emulated by a QEMU without the faults": {
			host{"amd64", recent, 2400000}, describe(func(*vm.Config) {}), "q35,usb=off,vmport=off,sata=off,smbus=off,accel=tcg,memory-backend=mem", "max", "4",
			"console=ttyS0 panic=-1 quiet cryptomgr.notests berth.x=1",
		},
		"amd64 with KVM": {
			host{"amd64", old, 2400000}, describe(func(c *vm.Config) { c.Accelerator = vm.KVM }), "q35,usb=off,vmport=off,sata=off,smbus=off,accel=kvm,memory-backend=mem", "host", "4",
			"console=ttyS0 panic=-1 quiet cryptomgr.notests berth.x=1",
		},
		"arm64": {
			host{"amd64", old, 2400000}, describe(func(c *vm.Config) { c.Arch = "arm64" }), "virt,gic-version=max,accel=tcg,memory-backend=mem", "max,pauth-impdef=on", "4",
			"console=ttyAMA0 panic=-1 quiet cryptomgr.notests berth.x=1",
		},
	} {
		args := c.host.arguments(c.config, true)
		for option, want := range map[string]string{"-M": c.machine, "-cpu": c.cpu, "-smp": c.smp, "-append": c.append, "-m": "2048M"} {
			if got := value(args, option); !slices.Equal(got, []string{want}) {
				t.Errorf("%s: %s %q, want %q", name, option, got, want)
			}
		}
	}
}

// TestEverythingIsADescriptor: no name of a file is on the command line.
func TestEverythingIsADescriptor(t *testing.T) {
	args := host{arch: "amd64", qemu: Program{Major: 7}}.arguments(describe(func(*vm.Config) {}), true)
	for _, a := range args {
		if strings.Contains(a, "/") && !strings.Contains(a, "/proc/self/fd/") && !strings.Contains(a, "/dev/fdset/") {
			t.Errorf("%q names a file", a)
		}
	}
	if got, want := value(args, "-add-fd"), []string{"fd=8,set=1,opaque=root", "fd=9,set=2,opaque=data,, mine"}; !slices.Equal(got, want) {
		t.Errorf("disks %q", got)
	}
	drives := value(args, "-blockdev")
	if len(drives) != 2 || !strings.Contains(drives[0], "read-only=on") || !strings.Contains(drives[1], "read-only=off") {
		t.Errorf("disks %q", drives)
	}
	if args := (host{}).arguments(describe(func(*vm.Config) {}), false); value(args, "-initrd") != nil {
		t.Error("an initramfs that is not there")
	}
}

func TestFewerProcessorsAreExplained(t *testing.T) {
	n, note := host{qemu: Program{Major: 7, Minor: 2}}.cpus(describe(func(*vm.Config) {}))
	if n != 1 || !strings.Contains(note, "one processor instead of 4: QEMU 7.2") {
		t.Errorf("%d, %q", n, note)
	}
	if n, note := (host{qemu: Program{Major: 7}}).cpus(describe(func(c *vm.Config) { c.CPUs = 1 })); n != 1 || note != "" {
		t.Errorf("%d, %q", n, note)
	}
}

func TestVersions(t *testing.T) {
	for out, want := range map[string]string{
		"QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\nCopyright": "QEMU 7.2",
		"QEMU emulator version 10.0.2":                                  "QEMU 10.0",
	} {
		if p, err := parseVersion(out); err != nil || p.String() != want {
			t.Errorf("%q: %s, %v", out, p, err)
		}
	}
	for _, out := range []string{"", "QEMU emulator version 5.2.0"} {
		if p, err := parseVersion(out); err == nil {
			t.Errorf("%q is taken for %s", out, p)
		}
	}
}

func TestFrequency(t *testing.T) {
	if got := parseMHz("processor\t: 0\ncpu MHz\t\t: 2445.406\ncache size\t: 512 KB\n"); got != 2445406 {
		t.Errorf("%d", got)
	}
	if got := parseMHz("processor\t: 0\n"); got != 0 {
		t.Errorf("%d where none is said", got)
	}
}
