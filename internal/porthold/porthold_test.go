//go:build linux

package porthold

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
)

func TestFindNamesThisProcess(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	u, err := net.ListenPacket("udp", "[::]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	want := fmt.Sprintf("(pid %d)", os.Getpid())
	tcpPort := netip.MustParseAddrPort(l.Addr().String()).Port()
	udpPort := netip.MustParseAddrPort(u.LocalAddr().String()).Port()
	for _, c := range []struct {
		proto string
		addr  netip.AddrPort
		found bool
	}{
		{"tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), tcpPort), true},
		{"tcp", netip.AddrPortFrom(netip.IPv4Unspecified(), tcpPort), true},
		{"tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), tcpPort), false},
		{"udp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), udpPort), true},
	} {
		if got := Find(c.proto, c.addr); strings.Contains(got, want) != c.found {
			t.Errorf("%s %s: %q", c.proto, c.addr, got)
		}
	}
	if got := Find("tcp", netip.MustParseAddrPort("127.0.0.1:1")); got != "" {
		t.Errorf("nobody is %q", got)
	}
}

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0 100 0 0 10 0
   2: 00000000000000000000000001000000:1F90 0000000000000000:0000 0A 0:0 0:0 0 0 0 333 1
   3: garbage
   4: ZZ:1F90 0:0 0A 0 0 0 0 0 0 444
`

func TestListeners(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:8080": "[111]", "0.0.0.0:8080": "[111 333]", "[::1]:8080": "[333]", "127.0.0.1:8081": "[]",
	} {
		if got := fmt.Sprint(listeners([]byte(table), "tcp", netip.MustParseAddrPort(addr))); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}

func FuzzParseAddr(f *testing.F) {
	f.Add("0100007F:1F90")
	f.Add("00000000000000000000000001000000:0016")
	f.Add(":")
	f.Fuzz(func(t *testing.T, s string) {
		if a, ok := parseAddr(s); ok && !a.IsValid() {
			t.Errorf("%q is %v", s, a)
		}
	})
}
