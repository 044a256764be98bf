//go:build linux

package runtime

import (
	"math"

	"github.com/moby/sys/user"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// setMapping puts a container with a mapping in a user namespace. Sharing the machine's IPC it gets the machine's
// queues by a bind, since it may not mount what belongs to another user namespace.
func setMapping(s *specs.Spec, in Input) error {
	if in.IDs.Empty() {
		return nil
	}
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	s.Linux.UIDMappings, s.Linux.GIDMappings = mappings(in.IDs.UIDMaps), mappings(in.IDs.GIDMaps)
	for i, m := range s.Mounts {
		if m.Type == "mqueue" && in.Host.IpcMode.IsHost() {
			s.Mounts[i] = bind("/dev/mqueue", m.Destination)
		}
	}
	return nil
}

func mappings(list []user.IDMap) []specs.LinuxIDMapping {
	out := make([]specs.LinuxIDMapping, len(list))
	for i, m := range list {
		out[i] = specs.LinuxIDMapping{ContainerID: uint32(m.ID), HostID: uint32(m.ParentID), Size: uint32(m.Count)}
	}
	return out
}

// lastGroup is the highest group that a container has: the kernel takes no other for ping_group_range.
func lastGroup(ids user.IdentityMapping) int64 {
	if ids.Empty() {
		return math.MaxInt32
	}
	last := int64(0)
	for _, m := range ids.GIDMaps {
		last = max(last, m.ID+m.Count-1)
	}
	return last
}
