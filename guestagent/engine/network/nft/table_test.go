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

func TestForeignDrops(t *testing.T) {
	inNetNS(t)
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("needs nft to play another program")
	}
	tab := open(t)
	if err := tab.Reset([]Bridge{{Name: "berth0"}}, nil); err != nil {
		t.Fatal(err)
	}
	if drops, err := tab.ForeignDrops("berth0"); err != nil || len(drops) != 0 {
		t.Fatalf("on a clean machine: %v, %v", drops, err)
	}
	script := `add table ip filter
		add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }
		add chain ip filter DOCKER-USER
		add table inet mine
		add chain inet mine passing { type filter hook forward priority 0; policy drop; }
		add chain inet mine ok { type filter hook input priority 0; policy drop; }`
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	drops, err := tab.ForeignDrops("berth0")
	if err != nil || len(drops) != 2 {
		t.Fatalf("got %v, %v", drops, err)
	}
	for _, d := range drops {
		if d.Table == "ip filter" && !strings.Contains(d.Remedy, "iptables -I DOCKER-USER -i berth0") {
			t.Errorf("docker's remedy: %s", d)
		}
		if d.Table == "inet mine" && (d.Chain != "passing" || !strings.Contains(d.String(), "insert rule inet mine passing iifname berth0 accept")) {
			t.Errorf("a plain table's remedy: %s", d)
		}
	}
}

// Rules for all packets close a hook, or open it, whatever its policy is.
func TestForeignDropsByRules(t *testing.T) {
	inNetNS(t)
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("needs nft to play another program")
	}
	tab := open(t)
	for name, c := range map[string]struct {
		rules, policy string
		closed        bool
	}{
		"reject at the end":      {"ct state established accept; counter log reject with icmpx admin-prohibited", "accept", true},
		"drop at the end":        {"tcp dport 22 accept; counter drop", "accept", true},
		"a drop with condition":  {"tcp dport 22 drop", "accept", false},
		"all accepted":           {"counter accept", "drop", false},
		"accepted, then dropped": {"accept; drop", "accept", false},
		"others are asked":       {"jump other", "accept", false},
		"asked, then dropped":    {"jump other; drop", "accept", true},
	} {
		script := "flush ruleset; table inet firewalld { chain other { } \n chain filter_FORWARD { type filter hook forward priority 10; policy " + c.policy + "; " + c.rules + "\n}\n}\n"
		cmd := exec.Command("nft", "-f", "-")
		cmd.Stdin = strings.NewReader(script)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		drops, err := tab.ForeignDrops("berth0")
		if err != nil || (len(drops) == 1) != c.closed {
			t.Errorf("%s: %v, %v", name, drops, err)
		}
		if len(drops) == 1 && !strings.HasSuffix(drops[0].String(), "firewall-cmd --permanent --zone=trusted --add-interface=berth0 && firewall-cmd --reload") {
			t.Errorf("%s: remedy %s", name, drops[0])
		}
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
