//go:build linux

package qemu

import (
	"fmt"
	"strings"

	"github.com/berthhq/berth/hostagent/vm"
)

// Descriptors that QEMU is started with.
const (
	fdVsock = 3 + iota
	fdMonitor
	fdConsole
	fdKernel
	fdInitrd // is /dev/null where there is none
	fdDisks  // the first of them
)

// host is what a command line depends on besides the configuration.
type host struct {
	arch   string // GOARCH
	qemu   Program
	tscKHz int // of this processor, 0 where unknown or none
}

// shaky says that this QEMU emulates amd64 with faults that are worked around: cmpxchg16b goes wrong in kernel code, and
// with two processors it fails now and then. QEMU 10 is known to have neither.
func (h host) shaky(c vm.Config) bool {
	return c.Accelerator == vm.Emulation && c.Arch == "amd64" && h.qemu.Major < 10
}

// cpus is how many processors the guest gets, and why fewer than asked for.
func (h host) cpus(c vm.Config) (n int, note string) {
	if h.shaky(c) && c.CPUs > 1 {
		return 1, fmt.Sprintf("one processor instead of %d: %s emulates several unreliably", c.CPUs, h.qemu)
	}
	return c.CPUs, ""
}

// arguments is QEMU's command line.
func (h host) arguments(c vm.Config, initrd bool) []string {
	cpus, _ := h.cpus(c)
	args := []string{
		"-name", "guest=" + escape(c.Name),
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
		"-M", machineType(c) + ",memory-backend=mem",
		"-cpu", processor(c),
		"-smp", fmt.Sprint(cpus),
		"-m", fmt.Sprintf("%dM", c.Memory>>20),
		"-object", fmt.Sprintf("memory-backend-memfd,id=mem,size=%dM,share=on", c.Memory>>20), // the vsock device maps it
		"-kernel", fmt.Sprintf("/proc/self/fd/%d", fdKernel),
		"-append", strings.Join(h.cmdline(c), " "),
		"-chardev", fmt.Sprintf("socket,id=monitor,fd=%d", fdMonitor), "-mon", "chardev=monitor,mode=control",
		"-chardev", fmt.Sprintf("socket,id=console,fd=%d", fdConsole), "-serial", "chardev:console",
		"-chardev", fmt.Sprintf("socket,id=vsock,fd=%d", fdVsock), "-device", "vhost-user-vsock-pci,chardev=vsock",
		"-device", "virtio-rng-pci",
		"-device", "virtio-balloon-pci,free-page-reporting=on", // what the guest frees goes back to the host
	}
	if initrd {
		args = append(args, "-initrd", fmt.Sprintf("/proc/self/fd/%d", fdInitrd))
	}
	for i, d := range c.Disks {
		args = append(args, disk(i, d)...)
	}
	return args
}

// machineType is the board. amd64 boots an uncompressed vmlinux by PVH.
func machineType(c vm.Config) string {
	accel := "tcg"
	if c.Accelerator == vm.KVM {
		accel = "kvm"
	}
	if c.Arch == "arm64" {
		return "virt,gic-version=max,accel=" + accel
	}
	return "q35,usb=off,vmport=off,sata=off,smbus=off,accel=" + accel
}

func processor(c vm.Config) string {
	switch {
	case c.Accelerator == vm.KVM:
		return "host"
	case c.Arch == "arm64":
		return "max,pauth-impdef=on" // the architected algorithm is slow in software
	}
	return "max"
}

// cmdline is the kernel's command line: the hypervisor's part, then the configuration's.
func (h host) cmdline(c vm.Config) []string {
	console := "console=ttyS0"
	if c.Arch == "arm64" {
		console = "console=ttyAMA0"
	}
	words := []string{console, "panic=-1", "quiet", "cryptomgr.notests"}
	if h.shaky(c) {
		words = append(words, "clearcpuid=cx16")
		if h.arch == "amd64" && h.tscKHz > 0 { // the guest's counter is the host's
			words = append(words, fmt.Sprintf("tsc_early_khz=%d", h.tscKHz), "tsc=reliable")
		}
	}
	return append(words, c.Cmdline...)
}

// disk is one disk; QEMU opens it by the descriptor it was given.
func disk(i int, d vm.Disk) []string {
	set, readOnly := i+1, "off"
	if d.ReadOnly {
		readOnly = "on"
	}
	return []string{
		"-add-fd", fmt.Sprintf("fd=%d,set=%d,opaque=%s", fdDisks+i, set, escape(d.Name)),
		"-blockdev", fmt.Sprintf("driver=raw,node-name=disk%d,read-only=%s,discard=unmap,file.driver=file,file.filename=/dev/fdset/%d,file.discard=unmap", i, readOnly, set),
		"-device", fmt.Sprintf("virtio-blk-pci,drive=disk%d,discard=on", i),
	}
}

// escape doubles the commas that would end an option's value.
func escape(s string) string { return strings.ReplaceAll(s, ",", ",,") }
