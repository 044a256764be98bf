package ipam

import (
	"fmt"
	"math"
	"math/big"
	"net/netip"
)

// Subnet hands out the addresses of one subnet. It is not safe for concurrent use.
type Subnet struct {
	prefix  netip.Prefix
	dynamic netip.Prefix // where addresses come from that nobody asked for by name
	used    map[netip.Addr]struct{}
	low     netip.Addr // no address of dynamic below this one is free
}

// NewSubnet manages prefix; addresses that nobody asks for come from ipRange where that is valid.
func NewSubnet(prefix, ipRange netip.Prefix) (*Subnet, error) {
	prefix = prefix.Masked()
	dynamic := prefix
	if ipRange.IsValid() {
		dynamic = ipRange.Masked()
		if !prefix.Contains(dynamic.Addr()) || dynamic.Bits() < prefix.Bits() {
			return nil, fmt.Errorf("invalid ip-range %s: it is not within subnet %s", ipRange, prefix)
		}
	}
	return &Subnet{prefix: prefix, dynamic: dynamic, used: map[netip.Addr]struct{}{}, low: dynamic.Addr()}, nil
}

// Prefix is the subnet itself.
func (s *Subnet) Prefix() netip.Prefix { return s.prefix }

// Used counts the addresses that are taken.
func (s *Subnet) Used() int { return len(s.used) }

// Status counts the addresses that are in use or nobody's, and those that Next could give; both end at 2^64-1.
func (s *Subnet) Status() (inUse, free uint64) {
	size := func(p netip.Prefix) *big.Int {
		return new(big.Int).Lsh(big.NewInt(1), uint(p.Addr().BitLen()-p.Bits()))
	}
	used, taken := int64(0), int64(0)
	count := func(a netip.Addr) {
		used++
		if s.dynamic.Contains(a) {
			taken++
		}
	}
	for a := range s.used {
		count(a)
	}
	for _, a := range []netip.Addr{s.prefix.Addr(), Last(s.prefix)} {
		if !s.usable(a) {
			count(a)
		}
	}
	left := size(s.dynamic)
	if left.Sub(left, big.NewInt(taken)); !left.IsUint64() {
		return uint64(used), math.MaxUint64
	}
	return uint64(used), left.Uint64()
}

// Reserve takes one address. ok is false when it is another's or no host address of the subnet.
func (s *Subnet) Reserve(a netip.Addr) (ok bool) {
	if !s.usable(a) {
		return false
	}
	if _, taken := s.used[a]; taken {
		return false
	}
	s.used[a] = struct{}{}
	return true
}

// Next takes the lowest free address.
func (s *Subnet) Next() (netip.Addr, error) {
	for a := s.low; a.IsValid() && s.dynamic.Contains(a); a = a.Next() {
		if s.Reserve(a) {
			s.low = a.Next()
			return a, nil
		}
	}
	return netip.Addr{}, ErrNoAddress
}

// Release gives an address back; one that is not taken is ignored.
func (s *Subnet) Release(a netip.Addr) {
	if _, taken := s.used[a]; !taken {
		return
	}
	delete(s.used, a)
	if s.dynamic.Contains(a) && (!s.low.IsValid() || a.Less(s.low)) {
		s.low = a
	}
}

// usable excludes the network and broadcast addresses of IPv4, and the all-routers anycast address of IPv6. Subnets of
// at most two addresses have neither.
func (s *Subnet) usable(a netip.Addr) bool {
	if !s.prefix.Contains(a) {
		return false
	}
	if s.prefix.Addr().BitLen()-s.prefix.Bits() <= 1 {
		return true
	}
	return a != s.prefix.Addr() && (a.Is6() || a != Last(s.prefix))
}
