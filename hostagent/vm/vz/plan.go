package vz

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/berthhq/berth/hostagent/vm"
)

// Host is what a Mac offers to virtual machines.
type Host struct {
	Arch      string `json:"arch"`    // as GOARCH
	MacOS     string `json:"macOS"`   // such as 15.1
	MaxCPUs   int    `json:"maxCPUs"` // that a machine may have
	MinMemory int64  `json:"minMemory"`
	MaxMemory int64  `json:"maxMemory"`
	Rosetta   bool   `json:"rosetta"` // installed, so that containers of amd64 run on arm64
	Nested    bool   `json:"nested"`  // virtual machines within the machine
}

// Plan is everything that is asked of the framework for one machine. It is data and nothing else.
type Plan struct {
	CPUs    int      `json:"cpus"`
	Memory  int64    `json:"memory"` // bytes
	Kernel  string   `json:"kernel"` // absolute, as are all paths
	Initrd  string   `json:"initrd,omitempty"`
	Cmdline []string `json:"cmdline"`
	Disks   []Disk   `json:"disks,omitempty"`
	Rosetta string   `json:"rosetta,omitempty"` // the tag of the file system that has it
	Nested  bool     `json:"nested,omitempty"`
	Note    string   `json:"note,omitempty"` // why something is not as it was asked for
}

// Disk is a raw image, cached by the host; a guest's flush is an fsync of it.
type Disk struct {
	Path     string `json:"path"`
	ReadOnly bool   `json:"readOnly,omitempty"`
}

// Paths are where the files of a machine lie, as vm.Files has them open.
type Paths struct {
	Kernel, Initrd string
	Disks          []string
}

const (
	oldestMacOS = 13   // Rosetta, disk caching and stopping are there since then
	maxCmdline  = 2047 // bytes that arm64 and amd64 kernels take
	maxDisks    = 16
	memoryGrain = 1 << 20
	rosettaTag  = "rosetta"
	// RosettaWord tells the guest agent that there is a file system with Rosetta, and its tag.
	RosettaWord = "berth.rosetta="
)

// NewPlan makes the plan of a machine, or says why this Mac cannot have it.
func NewPlan(c vm.Config, h Host, p Paths) (Plan, error) {
	if c.Arch != h.Arch {
		return Plan{}, fmt.Errorf("virtual machine %s: macOS runs guests of its own processor (%s) and no %s", c.Name, h.Arch, c.Arch)
	}
	if c.Accelerator != vm.Hypervisor {
		return Plan{}, fmt.Errorf("virtual machine %s: macOS has no accelerator %q", c.Name, c.Accelerator)
	}
	if major(h.MacOS) < oldestMacOS {
		return Plan{}, fmt.Errorf("virtual machine %s: this is macOS %s, and %d is the first that can hold one: update macOS", c.Name, h.MacOS, oldestMacOS)
	}
	plan := Plan{
		CPUs: c.CPUs, Memory: c.Memory, Kernel: p.Kernel, Initrd: p.Initrd, Nested: h.Nested,
		// A guest that panics stands still (panic=0), for the framework might boot it again: see package comment.
		Cmdline: slices.Concat([]string{"console=hvc0", "panic=0", "quiet", "cryptomgr.notests"}, c.Cmdline),
	}
	if plan.CPUs > h.MaxCPUs {
		plan.CPUs, plan.Note = h.MaxCPUs, fmt.Sprintf("%d cpus are as many as this Mac gives", h.MaxCPUs)
	}
	if h.Rosetta && c.Arch == "arm64" {
		plan.Rosetta = rosettaTag
		plan.Cmdline = append(plan.Cmdline, RosettaWord+rosettaTag)
	}
	for i, d := range c.Disks {
		if i < len(p.Disks) {
			plan.Disks = append(plan.Disks, Disk{Path: p.Disks[i], ReadOnly: d.ReadOnly})
		}
	}
	if err := plan.check(h); err != nil {
		return Plan{}, fmt.Errorf("virtual machine %s: %w", c.Name, err)
	}
	return plan, nil
}

// check refuses what the framework would answer with an exception, which ends the process, or with a riddle.
func (p Plan) check(h Host) error {
	switch {
	case p.CPUs < 1:
		return fmt.Errorf("%d cpus", p.CPUs)
	case p.Memory%memoryGrain != 0:
		return fmt.Errorf("%d bytes of memory are no whole MiB", p.Memory)
	case p.Memory < h.MinMemory || p.Memory > h.MaxMemory:
		return fmt.Errorf("%d MiB of memory: this Mac gives %d to %d: berth machine set --memory", p.Memory>>20, h.MinMemory>>20, h.MaxMemory>>20)
	case len(p.Disks) > maxDisks:
		return fmt.Errorf("%d disks, %d are possible", len(p.Disks), maxDisks)
	}
	for _, path := range p.paths() {
		if !filepath.IsAbs(path) && !strings.HasPrefix(path, "/") || strings.ContainsRune(path, 0) {
			return fmt.Errorf("%q is no absolute path", path)
		}
	}
	if line := p.commandLine(); len(line) > maxCmdline || strings.ContainsAny(line, "\n\x00") {
		return fmt.Errorf("a kernel command line of %d bytes: a line of %d is possible", len(line), maxCmdline)
	}
	return nil
}

func (p Plan) paths() []string {
	all := []string{p.Kernel}
	if p.Initrd != "" {
		all = append(all, p.Initrd)
	}
	for _, d := range p.Disks {
		all = append(all, d.Path)
	}
	return all
}

func (p Plan) commandLine() string { return strings.Join(p.Cmdline, " ") }

// major is the first number of a version, 0 where there is none.
func major(version string) int {
	first, _, _ := strings.Cut(version, ".")
	n, _ := strconv.Atoi(first)
	return n
}
