//go:build cgo && seccomp

package staged

import (
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/supervisor/filter"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/guestagent/engine/supervisor/stage"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// maxBinds leaves room for the other descriptors of one message.
const maxBinds = 48

// Supports says whether a container can be started here. What it refuses is not wrong, only rarer.
func Supports(s *proto.Start) bool {
	spec := s.Spec
	l := spec.Linux
	if s.Systemd || len(s.Rootfs) != 1 || spec.Hooks != nil || spec.Process == nil || l == nil {
		return false
	}
	if l.RootfsPropagation != "" || l.MountLabel != "" || l.IntelRdt != nil || l.Personality != nil ||
		len(l.UIDMappings)+len(l.GIDMappings)+len(l.TimeOffsets) > 0 {
		return false
	}
	p := spec.Process
	if p.ApparmorProfile != "" || p.SelinuxLabel != "" || p.Scheduler != nil || p.IOPriority != nil || p.ExecCPUAffinity != nil {
		return false
	}
	return ownNamespaces(l.Namespaces) && ordinaryMounts(spec.Mounts) && ordinaryRoot(&s.Rootfs[0]) && filter.Supported(l.Seccomp)
}

func ordinaryRoot(m *proto.Mount) bool {
	return m.Type == "overlay" || m.Type == "bind" && !slices.Contains(m.Options, "ro")
}

// ownNamespaces wants new ones for all but the network, which may be another's, and cgroups.
func ownNamespaces(list []specs.LinuxNamespace) bool {
	fresh := 0
	for _, n := range list {
		switch n.Type {
		case specs.MountNamespace, specs.PIDNamespace, specs.IPCNamespace, specs.UTSNamespace:
			if n.Path != "" {
				return false
			}
			fresh++
		case specs.NetworkNamespace:
			if n.Path == "" {
				return false
			}
		case specs.CgroupNamespace:
			if n.Path != "" {
				return false
			}
		default:
			return false
		}
	}
	return fresh == 4
}

func ordinaryMounts(list []specs.Mount) bool {
	binds := 0
	for i := range list {
		m := &list[i]
		if !stage.Supported(m) {
			return false
		}
		if m.Type != "bind" {
			continue
		}
		binds++
		// The propagation of a shared bind reaches the parent mount too, which libcontainer knows how to do.
		if slices.ContainsFunc(m.Options, func(o string) bool { return strings.Contains(o, "shared") || strings.Contains(o, "slave") }) {
			return false
		}
	}
	return binds <= maxBinds
}

// kind is what parked processes are made for: all that can be done before a container is known.
type kind struct {
	Mounts   []specs.Mount
	Devices  []specs.LinuxDeviceCgroup
	CgroupNS bool
	Cgroup   string // by its own name, where it is not to lie among the others
}

// kindOf tells a container's kind; common is the parent of cgroups that are made ahead.
func kindOf(spec *specs.Spec, common string) kind {
	k := kind{}
	if at := spec.Linux.CgroupsPath; at != "" && path.Dir(at) != common {
		k.Cgroup = at
	}
	for _, n := range spec.Linux.Namespaces {
		k.CgroupNS = k.CgroupNS || n.Type == specs.CgroupNamespace
	}
	for _, m := range spec.Mounts {
		switch m.Type {
		case "proc", "devpts", "mqueue", "cgroup":
			k.Mounts = append(k.Mounts, m)
		case "tmpfs":
			if m.Destination == "/dev" {
				k.Mounts = append(k.Mounts, m)
			}
		}
	}
	if spec.Linux.Resources != nil {
		k.Devices = spec.Linux.Resources.Devices
	}
	return k
}

func (k kind) key() string {
	b, err := json.Marshal(k)
	if err != nil {
		return "" // plain data always marshals
	}
	return string(b)
}

// onlyDevices says that resources have no limit, only the device rules that a parked cgroup has already.
func onlyDevices(r *specs.LinuxResources) bool {
	if r == nil {
		return true
	}
	c := *r
	c.Devices = nil
	b, err := json.Marshal(c)
	return err == nil && string(b) == "{}"
}
