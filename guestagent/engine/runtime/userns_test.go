//go:build linux

package runtime

import (
	"reflect"
	"slices"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/sys/user"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func mapped(in *Input) {
	in.IDs = user.IdentityMapping{
		UIDMaps: []user.IDMap{{ID: 0, ParentID: 100000, Count: 65536}, {ID: 65536, ParentID: 400000, Count: 10}},
		GIDMaps: []user.IDMap{{ID: 0, ParentID: 200000, Count: 65536}},
	}
}

func TestMappedContainerIsInAUserNamespace(t *testing.T) {
	s := spec(t, mapped)
	if p, ok := nsPath(s, specs.UserNamespace); !ok || p != "" {
		t.Errorf("user namespace %q, %v", p, ok)
	}
	uids := []specs.LinuxIDMapping{{HostID: 100000, Size: 65536}, {ContainerID: 65536, HostID: 400000, Size: 10}}
	gids := []specs.LinuxIDMapping{{HostID: 200000, Size: 65536}}
	if !reflect.DeepEqual(s.Linux.UIDMappings, uids) || !reflect.DeepEqual(s.Linux.GIDMappings, gids) {
		t.Errorf("mappings %v, %v", s.Linux.UIDMappings, s.Linux.GIDMappings)
	}
	if got := s.Linux.Sysctl["net.ipv4.ping_group_range"]; got != "0 65535" {
		t.Errorf("who may ping: %q", got)
	}
	if m := mountAt(s, "/dev/mqueue"); m == nil || m.Type != "mqueue" {
		t.Errorf("queues %+v", m)
	}
	s = spec(t, mapped, func(in *Input) { in.Host.IpcMode = container.IPCModeHost })
	if m := mountAt(s, "/dev/mqueue"); m == nil || m.Type != "bind" || m.Source != "/dev/mqueue" || !slices.Contains(m.Options, "rbind") {
		t.Errorf("the machine's queues %+v", m)
	}
}

func TestContainerWithoutMappingIsNot(t *testing.T) {
	s := spec(t)
	if _, ok := nsPath(s, specs.UserNamespace); ok || len(s.Linux.UIDMappings)+len(s.Linux.GIDMappings) > 0 {
		t.Error("it has a user namespace")
	}
	if got := s.Linux.Sysctl["net.ipv4.ping_group_range"]; got != "0 2147483647" {
		t.Errorf("who may ping: %q", got)
	}
}
