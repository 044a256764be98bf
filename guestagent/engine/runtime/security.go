//go:build linux

package runtime

import (
	"cmp"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/profiles/seccomp"
	"github.com/moby/sys/capability"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// defaultCaps are docker's fourteen.
var defaultCaps = [...]string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
	"CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
}

// knownCaps are those that this kernel and this program both know.
var knownCaps = sync.OnceValue(func() []string {
	list, err := capability.ListSupported()
	if err != nil {
		list = capability.ListKnown()
	}
	return capNames(list)
})

// allCaps are those that can be given at all: on a machine that is a container itself the engine may lack some.
var allCaps = sync.OnceValue(func() []string {
	own, err := capability.NewPid2(0)
	if err == nil {
		err = own.Load()
	}
	if err != nil {
		return knownCaps()
	}
	var held []capability.Cap
	for _, c := range capability.ListKnown() {
		if own.Get(capability.PERMITTED, c) {
			held = append(held, c)
		}
	}
	return capNames(held)
})

func capNames(list []capability.Cap) []string {
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = "CAP_" + strings.ToUpper(c.String())
	}
	return out
}

func normaliseCaps(what string, names []string) (list []string, all bool, err error) {
	for _, n := range names {
		c := strings.ToUpper(strings.TrimSpace(n))
		if c == "ALL" {
			all = true
			continue
		}
		if !strings.HasPrefix(c, "CAP_") {
			c = "CAP_" + c
		}
		if !slices.Contains(knownCaps(), c) {
			return nil, false, errdefs.Invalid("invalid %s: unknown capability: \"%s\"", what, c)
		}
		list = append(list, c)
	}
	return list, all, nil
}

// capabilities works out the bounding set as docker does: ALL on either side is taken first, then single names.
func capabilities(privileged bool, add, drop []string) ([]string, error) {
	adds, addAll, err := normaliseCaps("CapAdd", add)
	if err != nil {
		return nil, err
	}
	drops, dropAll, err := normaliseCaps("CapDrop", drop)
	if err != nil {
		return nil, err
	}
	var base []string
	switch {
	case privileged:
		return allCaps(), nil
	case addAll:
		base = allCaps()
	case dropAll:
		base = nil
	default:
		base = defaultCaps[:]
	}
	var out []string
	for _, c := range base {
		if !slices.Contains(drops, c) {
			out = append(out, c)
		}
	}
	for _, c := range adds {
		if !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out, nil
}

// bounded gives a process the set. The supervisor takes the effective and permitted ones from another user than root.
// Nothing is inheritable (CVE-2022-29162), nothing ambient.
func bounded(caps []string) *specs.LinuxCapabilities {
	if caps == nil {
		caps = []string{}
	}
	return &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps}
}

type securityOpts struct {
	noNewPrivileges bool
	seccomp         string // "", "unconfined", "builtin" or a profile in JSON
	apparmor        string
	selinux         []string
	unmasked        bool   // systempaths=unconfined
	cgroups         string // writable-cgroups: "true", "false" or empty
}

// parseSecurityOpts reads HostConfig.SecurityOpt, key=value or the old key:value.
func parseSecurityOpts(opts []string) (o securityOpts, err error) {
	for _, opt := range opts {
		if opt == "no-new-privileges" {
			o.noNewPrivileges = true
			continue
		}
		if opt == "writable-cgroups" {
			o.cgroups = "true"
			continue
		}
		if opt == "disable" {
			o.selinux = append(o.selinux, "disable")
			continue
		}
		k, v, ok := strings.Cut(opt, "=")
		if !ok {
			k, v, ok = strings.Cut(opt, ":")
		}
		if !ok {
			return o, errdefs.Invalid("invalid --security-opt 1: %q", opt)
		}
		switch k {
		case "label":
			o.selinux = append(o.selinux, v)
		case "apparmor":
			o.apparmor = v
		case "seccomp":
			o.seccomp = v
		case "no-new-privileges":
			if o.noNewPrivileges, err = strconv.ParseBool(v); err != nil {
				return o, errdefs.Invalid("invalid --security-opt 2: %q", opt)
			}
		case "systempaths":
			o.unmasked = v == "unconfined"
		case "writable-cgroups":
			if v != "true" && v != "false" {
				return o, errdefs.Invalid("invalid --security-opt 2: %q", opt)
			}
			o.cgroups = v
		default:
			return o, errdefs.Invalid("invalid --security-opt 2: %q", opt)
		}
	}
	return o, nil
}

// ValidateHost checks what only this package understands of a host configuration: capabilities and security options.
func ValidateHost(h *container.HostConfig) error {
	if _, err := capabilities(h.Privileged, h.CapAdd, h.CapDrop); err != nil {
		return err
	}
	_, err := parseSecurityOpts(h.SecurityOpt)
	return err
}

func setSeccomp(s *specs.Spec, in Input) error {
	o, err := parseSecurityOpts(in.Host.SecurityOpt)
	if err != nil {
		return err
	}
	if in.Host.Privileged && o.seccomp == "" || o.seccomp == "unconfined" {
		return nil
	}
	if o.seccomp == "" || o.seccomp == "builtin" {
		s.Linux.Seccomp, err = seccomp.GetDefaultProfile(s)
	} else {
		s.Linux.Seccomp, err = seccomp.LoadProfile(o.seccomp, s)
	}
	if err != nil {
		return errdefs.Invalid("invalid seccomp profile: %w", err)
	}
	return nil
}

// maskedPaths and readonlyPaths are docker's defaults.
var (
	maskedPaths = [...]string{
		"/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
		"/sys/firmware", "/sys/devices/virtual/powercap",
	}
	readonlyPaths = [...]string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

// defaultMasked are the paths masked by default: those above, and of each processor how often it was throttled for its
// heat, from which the load of others can be read (GHSA-6fw5-f8r9-fgfm).
var defaultMasked = sync.OnceValue(func() []string {
	cpus, err := filepath.Glob("/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle")
	if err != nil {
		return maskedPaths[:] // the pattern is a good one
	}
	slices.SortFunc(cpus, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
	return append(maskedPaths[:], cpus...)
})

// HidePaths fills in docker's defaults for the paths of /proc and /sys that a container may not see or change, where it
// says nothing of its own. A privileged one may all.
func HidePaths(h *container.HostConfig) {
	o, err := parseSecurityOpts(h.SecurityOpt)
	if err != nil || h.Privileged || o.unmasked {
		return
	}
	if h.MaskedPaths == nil {
		h.MaskedPaths = slices.Clone(defaultMasked())
	}
	if h.ReadonlyPaths == nil {
		h.ReadonlyPaths = slices.Clone(readonlyPaths[:])
	}
}

func setPaths(s *specs.Spec, in Input) error {
	o, err := parseSecurityOpts(in.Host.SecurityOpt)
	if err != nil {
		return err
	}
	if in.Host.Privileged || o.unmasked {
		return nil
	}
	s.Linux.MaskedPaths, s.Linux.ReadonlyPaths = defaultMasked(), readonlyPaths[:]
	if in.Host.MaskedPaths != nil {
		s.Linux.MaskedPaths = in.Host.MaskedPaths
	}
	if in.Host.ReadonlyPaths != nil {
		s.Linux.ReadonlyPaths = in.Host.ReadonlyPaths
	}
	return nil
}
