//go:build linux

package nft

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// redirectTable is the table inside a container's namespace.
const redirectTable = "berth-dns"

// RedirectLocal sends what the calling thread's namespace addresses to addr and from, by UDP and TCP, to other ports of
// that address. So a server can answer at a well-known port without taking it from the container's own programs. What
// an earlier call made is replaced.
func RedirectLocal(addr netip.Addr, from, udp, tcp uint16) error {
	err := redirect(addr, from, udp, tcp, false)
	if errors.Is(err, os.ErrExist) {
		err = redirect(addr, from, udp, tcp, true)
	}
	if err != nil {
		return fmt.Errorf("nftables rules of the name server: %w", err)
	}
	return nil
}

func redirect(addr netip.Addr, from, udp, tcp uint16, replace bool) error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	t := &nftables.Table{Name: redirectTable, Family: nftables.TableFamilyIPv4}
	if replace { // deleting costs the kernel milliseconds, so it is not done where nothing can be
		conn.DelTable(t)
	}
	conn.CreateTable(t)
	out := conn.AddChain(&nftables.Chain{Name: "output", Table: t, Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityRef(-100)})
	for _, to := range []struct {
		proto byte
		port  uint16
	}{{unix.IPPROTO_UDP, udp}, {unix.IPPROTO_TCP, tcp}} {
		conn.AddRule(&nftables.Rule{Table: t, Chain: out, Exprs: []expr.Any{
			&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseNetworkHeader, Offset: offsetDst, Len: 4},
			cmp(expr.CmpOpEq, addr.AsSlice()),
			meta(expr.MetaKeyL4PROTO, reg), cmp(expr.CmpOpEq, []byte{to.proto}),
			&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
			cmp(expr.CmpOpEq, binaryutil.BigEndian.PutUint16(from)),
			&expr.Immediate{Register: reg, Data: addr.AsSlice()},
			&expr.Immediate{Register: reg + 1, Data: binaryutil.BigEndian.PutUint16(to.port)},
			&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: reg, RegProtoMin: reg + 1, Specified: true},
		}})
	}
	return conn.Flush()
}
