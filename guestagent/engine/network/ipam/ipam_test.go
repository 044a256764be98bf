package ipam

import (
	"errors"
	"net/netip"
	"testing"
)

func prefixes(s ...string) (out []netip.Prefix) {
	for _, p := range s {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func TestPickSubnetFollowsDockersOrder(t *testing.T) {
	var taken []netip.Prefix
	want := []string{
		"172.17.0.0/16", "172.18.0.0/16", "172.19.0.0/16", "172.20.0.0/16", "172.21.0.0/16", "172.22.0.0/16",
		"172.23.0.0/16", "172.24.0.0/16", "172.25.0.0/16", "172.26.0.0/16", "172.27.0.0/16", "172.28.0.0/16",
		"172.29.0.0/16", "172.30.0.0/16", "172.31.0.0/16", "192.168.0.0/20", "192.168.16.0/20",
	}
	for _, w := range want {
		got, err := PickSubnet(DefaultPools(), false, taken)
		if err != nil || got.String() != w {
			t.Fatalf("got %v, %v; want %s", got, err, w)
		}
		taken = append(taken, got)
	}
}

func TestPickSubnetAvoidsWhatIsTaken(t *testing.T) {
	cases := []struct {
		name  string
		taken []netip.Prefix
		want  string
	}{
		{"a route inside", prefixes("172.17.42.0/24"), "172.18.0.0/16"},
		{"a route around", prefixes("172.16.0.0/12"), "192.168.0.0/20"},
		{"both", prefixes("172.16.0.0/12", "192.168.1.0/24"), "192.168.16.0/20"},
		{"the other family does not count", prefixes("fd00::/8"), "172.17.0.0/16"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := PickSubnet(DefaultPools(), false, c.taken)
			if err != nil || got.String() != c.want {
				t.Fatalf("got %v, %v; want %s", got, err, c.want)
			}
		})
	}
	if _, err := PickSubnet(DefaultPools(), false, prefixes("0.0.0.0/1", "128.0.0.0/1")); !errors.Is(err, ErrExhausted) {
		t.Fatalf("got %v, want exhaustion", err)
	}
}

func TestPickSubnetIPv6(t *testing.T) {
	pool := ULAPool([5]byte{1, 2, 3, 4, 5})
	if got := pool.Base.String(); got != "fd01:203:405::/48" {
		t.Fatalf("pool is %s", got)
	}
	got, err := PickSubnet([]Pool{pool}, true, prefixes("fd01:203:405::/64"))
	if err != nil || got.String() != "fd01:203:405:1::/64" {
		t.Fatalf("got %v, %v", got, err)
	}
}

func TestPoolValidate(t *testing.T) {
	for _, p := range []Pool{{}, {netip.MustParsePrefix("10.0.0.0/16"), 8}, {netip.MustParsePrefix("10.0.0.0/16"), 33}} {
		if p.Validate() == nil {
			t.Errorf("%v is accepted", p)
		}
	}
	if err := (Pool{netip.MustParsePrefix("10.0.0.0/8"), 24}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestSubnetHandsOutTheLowestFree(t *testing.T) {
	s, err := NewSubnet(netip.MustParsePrefix("10.0.0.0/29"), netip.Prefix{})
	if err != nil {
		t.Fatal(err)
	}
	if !s.Reserve(netip.MustParseAddr("10.0.0.1")) {
		t.Fatal("gateway refused")
	}
	for _, want := range []string{"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"} {
		if a, err := s.Next(); err != nil || a.String() != want {
			t.Fatalf("got %v, %v; want %s", a, err, want)
		}
	}
	if _, err := s.Next(); !errors.Is(err, ErrNoAddress) {
		t.Fatalf("a full subnet gave %v", err)
	}
	s.Release(netip.MustParseAddr("10.0.0.3"))
	s.Release(netip.MustParseAddr("10.0.0.200"))
	if a, err := s.Next(); err != nil || a.String() != "10.0.0.3" {
		t.Fatalf("after a release: %v, %v", a, err)
	}
	if s.Used() != 6 {
		t.Fatalf("%d in use", s.Used())
	}
}

func TestSubnetRefusesWhatIsNoHostAddress(t *testing.T) {
	s, _ := NewSubnet(netip.MustParsePrefix("10.0.0.0/24"), netip.Prefix{})
	for _, a := range []string{"10.0.0.0", "10.0.0.255", "10.0.1.1", "fd00::1"} {
		if s.Reserve(netip.MustParseAddr(a)) {
			t.Errorf("%s was given out", a)
		}
	}
	if !s.Reserve(netip.MustParseAddr("10.0.0.7")) || s.Reserve(netip.MustParseAddr("10.0.0.7")) {
		t.Error("an address must be given out once")
	}
}

func TestSubnetRange(t *testing.T) {
	s, err := NewSubnet(netip.MustParsePrefix("10.0.0.0/16"), netip.MustParsePrefix("10.0.5.0/30"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"10.0.5.0", "10.0.5.1", "10.0.5.2", "10.0.5.3"} {
		if a, err := s.Next(); err != nil || a.String() != want {
			t.Fatalf("got %v, %v; want %s", a, err, want)
		}
	}
	if _, err := s.Next(); err == nil {
		t.Error("an address from outside of the range")
	}
	if !s.Reserve(netip.MustParseAddr("10.0.9.9")) {
		t.Error("an address asked for may lie outside of the range")
	}
	if _, err := NewSubnet(netip.MustParsePrefix("10.0.0.0/16"), netip.MustParsePrefix("10.1.0.0/24")); err == nil {
		t.Error("a range outside of the subnet is accepted")
	}
}

func TestLast(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.0/8": "10.255.255.255", "10.1.2.3/32": "10.1.2.3", "fd00::/126": "fd00::3", "192.168.16.0/20": "192.168.31.255",
	} {
		if got := Last(netip.MustParsePrefix(in)).String(); got != want {
			t.Errorf("Last(%s) = %s, want %s", in, got, want)
		}
	}
}
