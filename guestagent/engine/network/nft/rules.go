//go:build linux

package nft

import (
	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Registers: the sixteen-byte one for single values, and the four-byte ones that concatenations are built in.
const (
	reg   = unix.NFT_REG_1
	reg32 = unix.NFT_REG32_00
)

func (t *Table) addRules() {
	accept := nftables.ChainPolicyAccept
	chain := func(name string, typ nftables.ChainType, hook *nftables.ChainHook, prio *nftables.ChainPriority) func(...[]expr.Any) {
		c := t.conn.AddChain(&nftables.Chain{Name: name, Table: t.t, Type: typ, Hooknum: hook, Priority: prio, Policy: &accept})
		return func(parts ...[]expr.Any) {
			var all []expr.Any
			for _, p := range parts {
				all = append(all, p...)
			}
			t.conn.AddRule(&nftables.Rule{Table: t.t, Chain: c, Exprs: all})
		}
	}
	t.rawRules(chain("raw", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, nftables.ChainPriorityRaw))
	t.natRules(chain("prerouting", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, nftables.ChainPriorityNATDest), true)
	t.natRules(chain("output", nftables.ChainTypeNAT, nftables.ChainHookOutput, nftables.ChainPriorityRef(-100)), false)
	t.forwardRules(chain("forward", nftables.ChainTypeFilter, nftables.ChainHookForward, nftables.ChainPriorityFilter))
	t.postroutingRules(chain("postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource))
}

// rawRules keep 127/8 on the host. The bridges have route_localnet, and a neighbour's packet to 127.0.0.1 would be
// dnatted before the kernel could call it a martian.
func (t *Table) rawRules(rule func(...[]expr.Any)) {
	notLo := []expr.Any{meta(expr.MetaKeyIIFNAME, reg), cmp(expr.CmpOpNeq, ifname("lo"))}
	rule(notLo, ipv4(), loopback(offsetDst, expr.CmpOpEq), verdict(expr.VerdictDrop))
	rule(notLo, ipv4(), loopback(offsetSrc, expr.CmpOpEq), verdict(expr.VerdictDrop))
}

// natRules send what is addressed to a published port to its container. ::1 is never sent: IPv6 has no route_localnet,
// and the socket that holds the port answers there.
func (t *Table) natRules(rule func(...[]expr.Any), fromOutside bool) {
	local := []expr.Any{
		&expr.Fib{Register: reg, FlagDADDR: true, ResultADDRTYPE: true},
		cmp(expr.CmpOpEq, binaryutil.NativeEndian.PutUint32(unix.RTN_LOCAL)),
	}
	four := ipv4()
	if fromOutside {
		four = append(four, loopback(offsetDst, expr.CmpOpNeq)...)
	}
	six := append(ipv6(), &expr.Payload{DestRegister: reg, Base: expr.PayloadBaseNetworkHeader, Offset: 24, Len: 16},
		cmp(expr.CmpOpNeq, append(make([]byte, 15), 1)))
	for _, anyAddr := range []bool{false, true} {
		rule(local, four, t.dnat(portMap{false, anyAddr}))
		rule(local, six, t.dnat(portMap{true, anyAddr}))
	}
}

// dnat looks the destination up and, where it is found, rewrites it.
func (t *Table) dnat(m portMap) []expr.Any {
	var (
		key    []expr.Any
		r      uint32 = reg32
		offset uint32 = 16
		words  uint32 = 1
		family uint32 = unix.NFPROTO_IPV4
	)
	if m.v6 {
		offset, words, family = 24, 4, unix.NFPROTO_IPV6
	}
	if !m.any {
		key = append(key, &expr.Payload{DestRegister: r, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: words * 4})
		r += words
	}
	key = append(key, meta(expr.MetaKeyL4PROTO, r),
		&expr.Payload{DestRegister: r + 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2})
	s := t.ports[m]
	return append(key,
		&expr.Lookup{SourceRegister: reg32, DestRegister: reg32, IsDestRegSet: true, SetName: s.Name, SetID: s.ID},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: family, RegAddrMin: reg32, RegProtoMin: reg32 + words, Specified: true})
}

// forwardRules decide what passes to and from the bridges. Everybody else's packets are left alone.
func (t *Table) forwardRules(rule func(...[]expr.Any)) {
	accept, drop := verdict(expr.VerdictAccept), verdict(expr.VerdictDrop)
	rule(t.iif(t.bridges, true), t.oif(t.bridges, true), accept)
	rule(ctBits(expr.CtKeySTATE, expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED), accept)
	rule(same(t.icc), accept)
	rule(t.iif(t.internal, false), drop)
	rule(t.oif(t.internal, false), drop)
	rule(ctBits(expr.CtKeySTATUS, ctStatusDNAT), accept)
	rule(t.oif(t.bridges, false), drop)
}

// postroutingRules hide container addresses from the outside, and the host's loopback and hairpin sources from
// containers. Hairpin goes by address, because where br_netfilter is loaded the incoming interface is not known here.
func (t *Table) postroutingRules(rule func(...[]expr.Any)) {
	masq := []expr.Any{&expr.Masq{}}
	rule(t.oif(t.bridges, false), ipv4(), loopback(offsetSrc, expr.CmpOpEq), masq)
	rule(ctBits(expr.CtKeySTATUS, ctStatusDNAT), ipv4(), fromOwnSubnet(t.local4, offsetSrc, 4), masq)
	rule(ctBits(expr.CtKeySTATUS, ctStatusDNAT), ipv6(), fromOwnSubnet(t.local6, 8, 16), masq)
	rule(t.iif(t.masquerade, false), masq)
}

// ctStatusDNAT is IPS_DST_NAT of the kernel's conntrack.
const ctStatusDNAT = 1 << 5

const (
	offsetSrc = 12 // of the source address in an IPv4 header
	offsetDst = 16
)

func meta(key expr.MetaKey, r uint32) expr.Any { return &expr.Meta{Key: key, Register: r} }

func cmp(op expr.CmpOp, data []byte) expr.Any { return &expr.Cmp{Op: op, Register: reg, Data: data} }

func verdict(kind expr.VerdictKind) []expr.Any { return []expr.Any{&expr.Verdict{Kind: kind}} }

func ipv4() []expr.Any {
	return []expr.Any{meta(expr.MetaKeyNFPROTO, reg), cmp(expr.CmpOpEq, []byte{unix.NFPROTO_IPV4})}
}

func ipv6() []expr.Any {
	return []expr.Any{meta(expr.MetaKeyNFPROTO, reg), cmp(expr.CmpOpEq, []byte{unix.NFPROTO_IPV6})}
}

// loopback compares the first byte of an IPv4 address with 127.
func loopback(offset uint32, op expr.CmpOp) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: 1},
		cmp(op, []byte{127}),
	}
}

func ctBits(key expr.CtKey, bits uint32) []expr.Any {
	return []expr.Any{
		&expr.Ct{Key: key, Register: reg},
		&expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(bits), Xor: make([]byte, 4)},
		cmp(expr.CmpOpNeq, make([]byte, 4)),
	}
}

func (t *Table) iif(s *nftables.Set, invert bool) []expr.Any {
	return []expr.Any{meta(expr.MetaKeyIIFNAME, reg), &expr.Lookup{SourceRegister: reg, SetName: s.Name, SetID: s.ID, Invert: invert}}
}

func (t *Table) oif(s *nftables.Set, invert bool) []expr.Any {
	return []expr.Any{meta(expr.MetaKeyOIFNAME, reg), &expr.Lookup{SourceRegister: reg, SetName: s.Name, SetID: s.ID, Invert: invert}}
}

// same matches what comes from and goes to one bridge, for the bridges in the set of pairs s.
func same(s *nftables.Set) []expr.Any {
	return []expr.Any{
		meta(expr.MetaKeyIIFNAME, reg32), meta(expr.MetaKeyOIFNAME, reg32+4),
		&expr.Lookup{SourceRegister: reg32, SetName: s.Name, SetID: s.ID},
	}
}

// fromOwnSubnet matches what goes out to a bridge and comes from a subnet of that bridge. The source address is size
// bytes long at offset.
func fromOwnSubnet(s *nftables.Set, offset, size uint32) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: reg32, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: size},
		meta(expr.MetaKeyOIFNAME, reg32+size/4),
		&expr.Lookup{SourceRegister: reg32, SetName: s.Name, SetID: s.ID},
	}
}
