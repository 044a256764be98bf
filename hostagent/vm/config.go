// Package vm says what a virtual machine of berth is: its description as pure data, what drives one and what a running
// one does. Drivers implement it and are named by cmd/berth-hostagent alone; this package imports none of them.
package vm

import (
	"fmt"
	"os"
)

// Config describes a virtual machine. It is data and nothing else: it can be written down, sent to another process and
// compared. The files that it boots from are handed over open, as Files.
type Config struct {
	Name   string `json:"name"`   // of the instance, for messages
	Dir    string `json:"dir"`    // the instance's own directory, mode 0700: sockets, logs, the lock
	Arch   string `json:"arch"`   // amd64 or arm64, as GOARCH
	CPUs   int    `json:"cpus"`   // a driver may give fewer, Status says how many
	Memory int64  `json:"memory"` // bytes, a multiple of 2 MiB
	// Accelerator is how the processor is had; the Agent chooses among those that the driver offers.
	Accelerator Accelerator `json:"accelerator"`
	// Cmdline is what the guest is told on its kernel's command line; the driver adds what its hypervisor wants. It
	// can be read by every process of the guest: nothing secret.
	Cmdline []string `json:"cmdline,omitempty"`
	// Disks are the guest's disks in order. The guest finds a disk by what is on it, never by its place.
	Disks []Disk `json:"disks,omitempty"`
}

// Disk describes one disk.
type Disk struct {
	Name     string `json:"name"` // for messages
	ReadOnly bool   `json:"readOnly,omitempty"`
}

// Files are what a machine boots from, opened and verified by the caller, who may close them when Start has returned.
type Files struct {
	Kernel *os.File   // uncompressed vmlinux on amd64, Image on arm64
	Initrd *os.File   // may be nil
	Disks  []*os.File // as many as Config.Disks, opened for writing where the disk is not read-only
}

// Accelerator is how a virtual processor is had.
type Accelerator string

// The accelerators.
const (
	KVM        Accelerator = "kvm"        // Linux's hardware virtualisation
	Hypervisor Accelerator = "hypervisor" // that of Windows or macOS
	Emulation  Accelerator = "emulation"  // software, works everywhere
)

// Bounds of a machine.
const (
	MinMemory   = 128 << 20
	memoryGrain = 2 << 20
	maxCPUs     = 256
)

// Check refuses a configuration that no driver can start, naming the field.
func (c Config) Check(files Files) error {
	switch {
	case c.Name == "":
		return fmt.Errorf("virtual machine: no name")
	case c.Dir == "":
		return fmt.Errorf("virtual machine %s: no directory", c.Name)
	case c.Arch != "amd64" && c.Arch != "arm64":
		return fmt.Errorf("virtual machine %s: architecture %q: only amd64 and arm64 are known", c.Name, c.Arch)
	case c.CPUs < 1 || c.CPUs > maxCPUs:
		return fmt.Errorf("virtual machine %s: %d cpus: 1 to %d are possible", c.Name, c.CPUs, maxCPUs)
	case c.Memory < MinMemory || c.Memory%memoryGrain != 0:
		return fmt.Errorf("virtual machine %s: %d bytes of memory: at least %d MiB, and a multiple of 2 MiB", c.Name, c.Memory, MinMemory>>20)
	case c.Accelerator == "":
		return fmt.Errorf("virtual machine %s: no accelerator chosen", c.Name)
	case files.Kernel == nil:
		return fmt.Errorf("virtual machine %s: no kernel", c.Name)
	case len(files.Disks) != len(c.Disks):
		return fmt.Errorf("virtual machine %s: %d disks described, %d opened", c.Name, len(c.Disks), len(files.Disks))
	}
	return nil
}
