// Package ipam chooses subnets and addresses. It is arithmetic on netip values only: it reads no routes, keeps no files
// and knows no networks; callers tell it what is taken.
package ipam

import (
	"errors"
	"fmt"
	"net/netip"
)

// Pool is a block of address space that is cut into subnets of Size bits (docker's default-address-pools).
type Pool struct {
	Base netip.Prefix `json:"base"`
	Size int          `json:"size"` // prefix length of each subnet
}

// ErrOverlap has docker's wording for a subnet that is another network's.
var ErrOverlap = errors.New("invalid pool request: Pool overlaps with other one on this address space")

// ErrExhausted has docker's wording for no free subnet.
var ErrExhausted = errors.New("all predefined address pools have been fully subnetted")

// ErrNoAddress has docker's wording for a subnet without a free address.
var ErrNoAddress = errors.New("no available IPv4 addresses on this network's address pools")

// DefaultPools are docker's own: 172.17.0.0/16 first, then the other sixteen-bit blocks of 172.16.0.0/12, then 192.168.
func DefaultPools() []Pool {
	p := func(base string, size int) Pool { return Pool{netip.MustParsePrefix(base), size} }
	return []Pool{
		p("172.17.0.0/16", 16), p("172.18.0.0/16", 16), p("172.19.0.0/16", 16), p("172.20.0.0/14", 16),
		p("172.24.0.0/14", 16), p("172.28.0.0/14", 16), p("192.168.0.0/16", 20),
	}
}

// Validate says what is wrong with a pool, or nil.
func (p Pool) Validate() error {
	switch {
	case !p.Base.IsValid():
		return errors.New("an address pool needs a base in CIDR form")
	case p.Size < p.Base.Bits() || p.Size > p.Base.Addr().BitLen():
		return fmt.Errorf("invalid subnet size %d in address pool %s", p.Size, p.Base)
	}
	return nil
}

// maxScan bounds the subnets looked at in one pool, so that a /8 pool of IPv6 does not run for ever.
const maxScan = 1 << 16

// PickSubnet returns the first subnet of the pools, of the given family, that overlaps nothing in taken.
func PickSubnet(pools []Pool, v6 bool, taken []netip.Prefix) (netip.Prefix, error) {
	for _, p := range pools {
		if p.Base.Addr().Is6() != v6 {
			continue
		}
		addr := p.Base.Masked().Addr()
		for range maxScan {
			if !p.Base.Contains(addr) {
				break
			}
			sub := netip.PrefixFrom(addr, p.Size)
			if Overlapping(sub, taken) == nil {
				return sub, nil
			}
			next := Last(sub).Next()
			if !next.IsValid() {
				break
			}
			addr = next
		}
	}
	return netip.Prefix{}, ErrExhausted
}

// Overlapping returns the first of taken that overlaps sub, or nil.
func Overlapping(sub netip.Prefix, taken []netip.Prefix) *netip.Prefix {
	for i, t := range taken {
		if t.IsValid() && t.Addr().Is4() == sub.Addr().Is4() && t.Overlaps(sub) {
			return &taken[i]
		}
	}
	return nil
}

// Last is the highest address of a prefix: the broadcast address of an IPv4 subnet.
func Last(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 1 << (7 - bit%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// ULAPool is the pool of unique local IPv6 subnets that belongs to a machine: fdXX:…::/48, cut into /64, where the
// forty bits are the first five bytes of seed.
func ULAPool(seed [5]byte) Pool {
	b := [16]byte{0xfd}
	copy(b[1:6], seed[:])
	return Pool{Base: netip.PrefixFrom(netip.AddrFrom16(b), 48), Size: 64}
}
