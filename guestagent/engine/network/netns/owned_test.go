//go:build linux

package netns

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"
)

var mapped = user.IdentityMapping{
	UIDMaps: []user.IDMap{{ParentID: 100000, Count: 65536}}, GIDMaps: []user.IDMap{{ParentID: 200000, Count: 65536}},
}

// entered runs a command as root of the user namespace that a network namespace belongs to, in both.
func entered(t *testing.T, path, script string) string {
	t.Helper()
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		t.Skip("no nsenter here")
	}
	ns, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	owner, err := unix.IoctlRetInt(int(ns.Fd()), unix.NS_GET_USERNS)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(owner)
	cmd := exec.Command(nsenter, fmt.Sprintf("--user=/proc/%d/fd/%d", os.Getpid(), owner), "--net="+path, "sh", "-c", script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v: %s", script, err, out)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

func TestOwnedNamespaceIsItsRoots(t *testing.T) {
	host, err := Host()
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	index := testBridge(t)
	path := filepath.Join(t.TempDir(), "ns")
	err = CreateOwned(path, mapped, func() error {
		n, err := Current(host)
		if err != nil {
			return err
		}
		defer n.Close()
		if err := n.LoopbackUp(); err != nil {
			return err
		}
		return n.Plug(Port{HostName: "vtest9", Name: "eth0", Bridge: index, MAC: net.HardwareAddr{2, 0x42, 10, 9, 0, 9}, MTU: 1400})
	})
	if err != nil {
		t.Fatal(err)
	}
	if !Exists(path) {
		t.Error("the namespace has gone with its process")
	}
	if got := entered(t, path, "cat /proc/self/uid_map /proc/self/gid_map"); got != "0 100000 65536 0 200000 65536" {
		t.Errorf("mappings %q", got)
	}
	sysctl := "echo 0 65535 > /proc/sys/net/ipv4/ping_group_range && cat /proc/sys/net/ipv4/ping_group_range"
	if got := entered(t, path, sysctl); got != "0 65535" {
		t.Errorf("its root sets a sysctl: %q", got)
	}
	if got := entered(t, path, "ls /proc/self/net/dev_snmp6"); !strings.Contains(got, "eth0") {
		t.Errorf("interfaces %q", got)
	}
	if err := Delete(path); err != nil {
		t.Fatal(err)
	}
	waitGone(t, "vtest9")
}

func TestOwnedNamespaceThatFailsLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ns")
	no := errors.New("no")
	if err := CreateOwned(path, mapped, func() error { return no }); !errors.Is(err, no) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the file is left")
	}
}
