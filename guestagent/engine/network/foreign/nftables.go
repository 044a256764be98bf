//go:build linux

package foreign

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	nft "github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// nftHooks reads the forward hooks of all nftables tables but one, what iptables made through nftables included.
func nftHooks(except string) ([]hook, error) {
	conn, err := nft.New()
	if err != nil {
		return nil, fmt.Errorf("opening nftables: %w", err)
	}
	chains, err := conn.ListChains()
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("listing nftables chains: %w", err)
	}
	var hooks []hook
	for _, c := range chains {
		fam := family(c.Table.Family)
		ours := c.Table.Name == except && c.Table.Family == nft.TableFamilyINet
		if fam == "" || ours || c.Hooknum == nil || *c.Hooknum != *nft.ChainHookForward {
			continue
		}
		h, err := nftHook(conn, c, chains)
		if err != nil {
			return nil, err
		}
		hooks = append(hooks, h)
	}
	return hooks, nil
}

// nftHook reads all chains of a base chain's table.
func nftHook(conn *nft.Conn, base *nft.Chain, all []*nft.Chain) (hook, error) {
	rules := map[string][]rule{}
	h := hook{kind: nftables, table: family(base.Table.Family) + " " + base.Table.Name, base: base.Name, policy: accepts,
		chains: func(name string) []rule { return rules[name] }, names: map[string]bool{}}
	if base.Policy != nil && *base.Policy == nft.ChainPolicyDrop {
		h.policy = drops
	}
	for _, c := range all {
		if c.Table.Name != base.Table.Name || c.Table.Family != base.Table.Family {
			continue
		}
		h.names[c.Name] = true
		list, err := conn.GetRules(c.Table, c)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return h, fmt.Errorf("listing nftables rules: %w", err)
		}
		for _, r := range list {
			rules[c.Name] = append(rules[c.Name], nftRule(r.Exprs))
		}
	}
	return h, nil
}

// loaded is what a register holds while a rule is read.
type loaded int

const (
	nothing loaded = iota
	inName
	outName
	ctStatus
	ctDNAT
)

// statusDNAT is IPS_DST_NAT of the kernel's conntrack.
const statusDNAT = 1 << 5

// nftRule reads a rule's expressions in order.
func nftRule(exprs []expr.Any) (r rule) {
	var held loaded
	for _, e := range exprs {
		switch e := e.(type) {
		case *expr.Counter, *expr.Log:
		case *expr.Meta:
			held = map[expr.MetaKey]loaded{expr.MetaKeyIIFNAME: inName, expr.MetaKeyOIFNAME: outName}[e.Key]
			r.other = r.other || held == nothing
		case *expr.Ct:
			held = map[expr.CtKey]loaded{expr.CtKeySTATUS: ctStatus}[e.Key]
			r.other = r.other || held == nothing
		case *expr.Bitwise:
			if held != ctStatus || !bytes.Equal(e.Mask, binaryutil.NativeEndian.PutUint32(statusDNAT)) {
				r.other = true
			}
			held = ctDNAT
		case *expr.Cmp:
			r.compare(held, e)
		case *expr.Reject:
			r.do = drops
		case *expr.Target: // of iptables, whose other verdicts are those of nftables
			if e.Name == "REJECT" {
				r.do = drops
			}
		case *expr.Verdict:
			r.do, r.chain = verdict(e.Kind), e.Chain
		default:
			r.other = true
		}
	}
	return r
}

// compare takes in what a rule asks of the value held.
func (r *rule) compare(held loaded, e *expr.Cmp) {
	if e.Op != expr.CmpOpEq && e.Op != expr.CmpOpNeq {
		r.other = true
		return
	}
	not := e.Op == expr.CmpOpNeq
	switch held {
	case inName:
		r.in = name(e.Data, not)
	case outName:
		r.out = name(e.Data, not)
	case ctDNAT:
		r.dnat = true
		r.other = r.other || !not // it asks for those that were not translated
	default:
		r.other = true
	}
}

// name is an interface's name; one without its final zero is the beginning of a name.
func name(data []byte, not bool) *iface {
	text, _, ended := bytes.Cut(data, []byte{0})
	return &iface{name: string(text), prefix: !ended && len(data) < unix.IFNAMSIZ, not: not}
}

func verdict(kind expr.VerdictKind) action {
	switch kind {
	case expr.VerdictDrop:
		return drops
	case expr.VerdictAccept:
		return accepts
	case expr.VerdictReturn:
		return returns
	case expr.VerdictJump:
		return jumps
	case expr.VerdictGoto:
		return gotos
	}
	return goesOn
}

func family(f nft.TableFamily) string {
	switch f {
	case nft.TableFamilyIPv4:
		return "ip"
	case nft.TableFamilyIPv6:
		return "ip6"
	case nft.TableFamilyINet:
		return "inet"
	}
	return ""
}
