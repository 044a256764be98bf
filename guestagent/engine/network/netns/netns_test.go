//go:build linux

package netns

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The whole test binary runs in mount and network namespaces of its own.
const childEnv = "BERTH_NETNS_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			panic(err)
		}
		os.Exit(m.Run())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS}
	if err := cmd.Start(); err != nil {
		println("SKIP: needs root and namespaces:", err.Error())
		return
	}
	if cmd.Wait() != nil {
		os.Exit(1)
	}
}

func testBridge(t *testing.T) int {
	t.Helper()
	index, err := EnsureBridge(Bridge{Name: "testbr0", MTU: 1400, Addresses: []netip.Prefix{
		netip.MustParsePrefix("10.9.0.1/24"), netip.MustParsePrefix("fd09::1/64")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := DeleteLink("testbr0"); err != nil {
			t.Error(err)
		}
	})
	return index
}

func plugged(t *testing.T, host *netlink.Handle, path string, p Port) {
	t.Helper()
	err := Create(path, func() error {
		n, err := Current(host)
		if err != nil {
			return err
		}
		defer n.Close()
		if err := n.LoopbackUp(); err != nil {
			return err
		}
		if err := n.Plug(p); err != nil {
			return err
		}
		if err := n.SetGateway(true, netip.MustParseAddr("fd09::1"), p.Name); err != nil {
			return err
		}
		return n.SetGateway(false, netip.MustParseAddr("10.9.0.1"), p.Name)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPluggedNamespaceReachesTheBridge(t *testing.T) {
	index := testBridge(t)
	host, err := Host()
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	path := filepath.Join(t.TempDir(), "ns", "one")
	mac := net.HardwareAddr{2, 0x42, 10, 9, 0, 2}
	plugged(t, host, path, Port{HostName: "vtest1", Name: "eth0", Bridge: index, MAC: mac, MTU: 1400, Addresses: []netip.Prefix{
		netip.MustParsePrefix("10.9.0.2/24"), netip.MustParsePrefix("fd09::2/64")}})
	for _, addr := range []string{"10.9.0.1:0", "[fd09::1]:0"} {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		err = Do(path, func() error {
			c, err := net.DialTimeout("tcp", l.Addr().String(), 2*time.Second)
			if err == nil {
				c.Close()
			}
			return err
		})
		if err != nil {
			t.Errorf("from inside to %s: %v", addr, err)
		}
	}
	err = Do(path, func() error {
		l, err := netlink.LinkByName("eth0")
		if err == nil && (l.Attrs().HardwareAddr.String() != mac.String() || l.Attrs().MTU != 1400) {
			err = errors.New("interface has " + l.Attrs().HardwareAddr.String())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if err := Delete(path); err != nil {
		t.Fatal(err)
	}
	waitGone(t, "vtest1")
}

func waitGone(t *testing.T, name string) {
	t.Helper()
	var gone netlink.LinkNotFoundError
	for range 200 {
		if _, err := netlink.LinkByName(name); errors.As(err, &gone) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("interface %s is left over", name)
}

func TestThreadsComeHome(t *testing.T) {
	home, err := os.Readlink(threadNetNS)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for range 20 {
		path := filepath.Join(dir, "ns")
		inside := ""
		if err := Create(path, func() error { inside, err = os.Readlink(threadNetNS); return err }); err != nil {
			t.Fatal(err)
		}
		if inside == home {
			t.Fatal("setup ran outside")
		}
		again := ""
		if err := Do(path, func() error { again, err = os.Readlink(threadNetNS); return err }); err != nil || again != inside {
			t.Fatalf("Do ran in %s, want %s (%v)", again, inside, err)
		}
		if err := Delete(path); err != nil {
			t.Fatal(err)
		}
	}
	tasks, err := filepath.Glob("/proc/self/task/*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		if ns, err := os.Readlink(task); err == nil && ns != home {
			t.Errorf("thread %s was left in %s", task, ns)
		}
	}
}

func TestFailureLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ns")
	boom := errors.New("boom")
	if err := Create(path, func() error { return boom }); !errors.Is(err, boom) {
		t.Fatalf("got %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("the file is left over")
	}
	if Exists(path) || Delete(path) != nil {
		t.Error("deleting what is not there must succeed")
	}
	if err := Create(path, nil); err != nil || !Exists(path) {
		t.Fatalf("after a failure: %v", err)
	}
	if Create(path, nil) == nil {
		t.Error("a living namespace was replaced")
	}
	if err := Delete(path); err != nil {
		t.Fatal(err)
	}
}

func TestEnsureBridgeTwiceAndRefusal(t *testing.T) {
	index := testBridge(t)
	if again := testBridge(t); again != index {
		t.Errorf("a second bridge: %d and %d", index, again)
	}
	if v, _ := os.ReadFile("/proc/sys/net/ipv4/conf/testbr0/route_localnet"); strings.TrimSpace(string(v)) != "1" {
		t.Errorf("route_localnet is %q", v)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "nobridge"
	if err := netlink.LinkAdd(&netlink.Dummy{LinkAttrs: attrs}); err != nil {
		t.Skip("needs dummy interfaces")
	}
	if _, err := EnsureBridge(Bridge{Name: "nobridge"}); err == nil || !strings.Contains(err.Error(), "not a bridge") {
		t.Errorf("got %v", err)
	}
	if err := DeleteLink("nobridge"); err != nil || DeleteLink("nobridge") != nil {
		t.Errorf("deleting twice: %v", err)
	}
	routes, err := Routes()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, r := range routes {
		found = found || r.String() == "10.9.0.0/24"
	}
	if !found {
		t.Errorf("the bridge's route is not among %v", routes)
	}
}

func BenchmarkCreatePlugDelete(b *testing.B) {
	index, err := EnsureBridge(Bridge{Name: "benchbr0", Addresses: []netip.Prefix{netip.MustParsePrefix("10.8.0.1/24")}})
	if err != nil {
		b.Fatal(err)
	}
	host, err := Host()
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "ns")
	var deleting time.Duration
	for b.Loop() {
		err := Create(path, func() error {
			n, err := Current(host)
			if err != nil {
				return err
			}
			defer n.Close()
			if err := n.LoopbackUp(); err != nil {
				return err
			}
			if err := n.Plug(Port{HostName: "vbench", Name: "eth0", Bridge: index, Addresses: []netip.Prefix{netip.MustParsePrefix("10.8.0.2/24")}}); err != nil {
				return err
			}
			return n.SetGateway(false, netip.MustParseAddr("10.8.0.1"), "eth0")
		})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		t := time.Now()
		if err := Delete(path); err != nil {
			b.Fatal(err)
		}
		deleting += time.Since(t)
		for {
			if _, err := net.InterfaceByName("vbench"); err != nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(deleting.Microseconds())/float64(b.N), "µs/delete")
}
