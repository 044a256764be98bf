//go:build linux

package nft

import (
	"net/netip"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// inNetNS runs the rest of the test in a network namespace of its own. The thread is never given back, so it dies with
// the test's goroutine and nothing else ever runs there.
func inNetNS(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("needs a network namespace of its own: %v", err)
	}
}

func open(t *testing.T) *Table {
	t.Helper()
	tab, err := Open("berth")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tab.Close() })
	return tab
}

func ruleset(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("needs nft to look at the rules")
	}
	out, err := exec.Command("nft", "list", "ruleset").CombinedOutput()
	if err != nil {
		t.Fatalf("nft list ruleset: %v: %s", err, out)
	}
	return string(out)
}

func testPorts() []Port {
	return []Port{
		{unix.IPPROTO_TCP, netip.MustParseAddr("0.0.0.0"), 8080, netip.MustParseAddrPort("172.17.0.2:80")},
		{unix.IPPROTO_TCP, netip.MustParseAddr("127.0.0.1"), 5432, netip.MustParseAddrPort("172.17.0.3:5432")},
		{unix.IPPROTO_UDP, netip.MustParseAddr("::"), 53, netip.MustParseAddrPort("[fd00::2]:53")},
		{unix.IPPROTO_TCP, netip.MustParseAddr("fd00::1"), 443, netip.MustParseAddrPort("[fd00::2]:8443")},
	}
}

func TestResetMakesTheWholeTable(t *testing.T) {
	inNetNS(t)
	tab := open(t)
	if err := tab.Reset([]Bridge{{Name: "berth0", Masquerade: true, ICC: true, Subnets: []netip.Prefix{netip.MustParsePrefix("172.17.0.0/16"), netip.MustParsePrefix("fd00::/64")}}, {Name: "br-in", Internal: true, ICC: true}}, testPorts()); err != nil {
		t.Fatal(err)
	}
	got := ruleset(t)
	for _, want := range []string{
		"table inet berth", `"br-in"`, `iifname != "lo"`, "tcp . 8080 : 172.17.0.2 . 80",
		"127.0.0.1 . tcp . 5432 : 172.17.0.3 . 5432", "udp . 53 : fd00::2 . 53", "fd00::1 . tcp . 443 : fd00::2 . 8443",
		`"berth0" . "berth0"`, "masquerade", `172.17.0.0/16 . "berth0"`, `fd00::/64 . "berth0"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("missing %q in\n%s", want, got)
		}
	}
	if err := tab.Delete(); err != nil {
		t.Fatal(err)
	}
	if got := ruleset(t); strings.Contains(got, "berth") {
		t.Errorf("left over:\n%s", got)
	}
	if err := tab.Delete(); err != nil {
		t.Errorf("deleting what is not there: %v", err)
	}
}

func TestChangesAreUndoneExactly(t *testing.T) {
	inNetNS(t)
	tab := open(t)
	if err := tab.Reset([]Bridge{{Name: "berth0", Masquerade: true, ICC: true}}, nil); err != nil {
		t.Fatal(err)
	}
	before := ruleset(t)
	extra := Bridge{Name: "br-user", Masquerade: true, ICC: true, Subnets: []netip.Prefix{netip.MustParsePrefix("10.7.0.0/16")}}
	if err := tab.AddBridge(extra); err != nil {
		t.Fatal(err)
	}
	if err := tab.Publish(testPorts()); err != nil {
		t.Fatal(err)
	}
	if ruleset(t) == before {
		t.Fatal("nothing was added")
	}
	if err := tab.Unpublish(testPorts()); err != nil {
		t.Fatal(err)
	}
	if err := tab.RemoveBridge(extra); err != nil {
		t.Fatal(err)
	}
	if after := ruleset(t); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func TestPublishIsAllOrNothing(t *testing.T) {
	inNetNS(t)
	tab := open(t)
	if err := tab.Reset(nil, testPorts()[:1]); err != nil {
		t.Fatal(err)
	}
	clash := testPorts()[0]
	clash.Container = netip.MustParseAddrPort("172.17.0.9:81")
	if err := tab.Publish([]Port{testPorts()[1], clash}); err == nil {
		t.Fatal("a port was published twice")
	}
	if got := ruleset(t); strings.Contains(got, "5432") {
		t.Errorf("half of a batch stayed:\n%s", got)
	}
}

func TestRedirectLocalReplacesWhatItMade(t *testing.T) {
	inNetNS(t)
	addr := netip.MustParseAddr("127.0.0.11")
	for i := range uint16(3) {
		if err := RedirectLocal(addr, 53, 1000+i, 2000+i); err != nil {
			t.Fatal(err)
		}
	}
	got := ruleset(t)
	for want, n := range map[string]int{"dnat to 127.0.0.11:1002": 1, "dnat to 127.0.0.11:2002": 1, "dnat": 2} {
		if strings.Count(got, want) != n {
			t.Errorf("%q is not there %d times:\n%s", want, n, got)
		}
	}
}

func BenchmarkRedirectLocal(b *testing.B) {
	for b.Loop() {
		done := make(chan error)
		go func() {
			runtime.LockOSThread()
			b.StopTimer()
			err := unix.Unshare(unix.CLONE_NEWNET)
			b.StartTimer()
			if err == nil {
				err = RedirectLocal(netip.MustParseAddr("127.0.0.11"), 53, 1000, 1001)
			}
			done <- err
		}()
		if err := <-done; err != nil {
			b.Skip(err)
		}
	}
}
