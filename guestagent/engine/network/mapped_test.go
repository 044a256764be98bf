//go:build linux

package network

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"
)

func TestMappedContainersNetworkIsItsRoots(t *testing.T) {
	w := newWorld(t, Config{})
	ids := user.IdentityMapping{UIDMaps: []user.IDMap{{ParentID: 100000, Count: 65536}}, GIDMaps: []user.IDMap{{ParentID: 200000, Count: 65536}}}
	web := w.attach(SandboxConfig{ContainerID: "aaaa", Name: "web", Mode: "default", PortBindings: bindings("|8080=80/tcp"), IDs: ids})
	client := w.attach(SandboxConfig{ContainerID: "bbbb", Name: "client"})
	w.serveTCP(web.Key, ":80", "web")
	w.expect("a published port", "", "127.0.0.1:8080", "web 172.17.0.1")
	w.expect("container to container", client.Key, "172.17.0.2:80", "web 172.17.0.3")
	own := userNamespaceOf(t, "/proc/self/ns/net")
	if got := userNamespaceOf(t, web.Key); got == own {
		t.Error("the network belongs to the machine")
	}
	if got := userNamespaceOf(t, client.Key); got != own {
		t.Error("the network of a container without a mapping does not belong to the machine")
	}
	for id, want := range map[string][2]uint32{"aaaa": {100000, 200000}, "bbbb": {0, 0}} {
		for _, name := range []string{w.layout.Hosts(id), w.layout.ResolvConf(id), w.layout.Hostname(id)} {
			var st unix.Stat_t
			if err := unix.Stat(name, &st); err != nil || st.Uid != want[0] || st.Gid != want[1] {
				t.Errorf("%s is %d:%d's, want %v (%v)", name, st.Uid, st.Gid, want, err)
			}
		}
	}
}

// userNamespaceOf is the number of the user namespace that a network namespace belongs to.
func userNamespaceOf(t *testing.T, path string) uint64 {
	t.Helper()
	ns, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	fd, err := unix.IoctlRetInt(int(ns.Fd()), unix.NS_GET_USERNS)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

func TestMappingIsRecorded(t *testing.T) {
	ids := user.IdentityMapping{UIDMaps: []user.IDMap{{ID: 0, ParentID: 7, Count: 9}}, GIDMaps: []user.IDMap{{ID: 0, ParentID: 8, Count: 9}}}
	for _, want := range []user.IdentityMapping{{}, ids} {
		b, err := json.Marshal(sandboxRecord{Config: SandboxConfig{IDs: want}})
		if err != nil {
			t.Fatal(err)
		}
		var got sandboxRecord
		if err := json.Unmarshal(b, &got); err != nil || !reflect.DeepEqual(got.Config.IDs, want) {
			t.Errorf("%s: %+v, %v", b, got.Config.IDs, err)
		}
		if want.Empty() && strings.Contains(string(b), "IDs") {
			t.Errorf("a record without a mapping names one: %s", b)
		}
	}
}
