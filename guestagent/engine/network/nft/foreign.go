//go:build linux

package nft

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// Drop is another program's forward hook that drops or rejects what nobody there accepts, by its policy or by a rule for
// all packets: our accept cannot overrule it.
type Drop struct {
	Table  string // "ip filter"
	Chain  string
	Remedy string // the one command that lets a bridge's packets through
}

// String is one line for a person.
func (d Drop) String() string {
	return fmt.Sprintf("the forward hook of nftables table %q (chain %s) drops packets to and from containers; to let them through: %s",
		d.Table, d.Chain, d.Remedy)
}

// ForeignDrops lists the forward hooks of other tables that let through only what they know. bridge is the interface that remedies name.
// It finds what iptables made through nftables too; the legacy iptables backend has no hooks there.
func (t *Table) ForeignDrops(bridge string) ([]Drop, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	conn, err := nftables.New()
	if err != nil {
		return nil, fmt.Errorf("opening nftables: %w", err)
	}
	chains, err := conn.ListChains()
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("listing nftables chains: %w", err)
	}
	names := map[string]bool{}
	for _, c := range chains {
		names[family(c.Table.Family)+" "+c.Table.Name+" "+c.Name] = true
	}
	var drops []Drop
	for _, c := range chains {
		ours := c.Table.Name == t.t.Name && c.Table.Family == t.t.Family
		if ours || c.Hooknum == nil || *c.Hooknum != *nftables.ChainHookForward {
			continue
		}
		fam := family(c.Table.Family)
		if fam == "" {
			continue
		}
		rules, err := conn.GetRules(c.Table, c)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("listing nftables rules: %w", err)
		}
		if !closed(c, rules) {
			continue
		}
		table := fam + " " + c.Table.Name
		drops = append(drops, Drop{Table: table, Chain: c.Name, Remedy: remedy(table, c.Name, bridge, names)})
	}
	return drops, nil
}

// closed says whether a packet that no rule of a chain is about goes no further.
func closed(c *nftables.Chain, rules []*nftables.Rule) bool {
	for _, r := range rules {
		if stops, known := unconditional(r); known {
			return stops
		}
	}
	return c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop
}

// unconditional tells what becomes of every packet at a rule; known is false where that depends on the packet, or where
// others are asked.
func unconditional(r *nftables.Rule) (stops, known bool) {
	for _, e := range r.Exprs {
		switch e := e.(type) {
		case *expr.Counter, *expr.Log:
		case *expr.Reject:
			return true, true
		case *expr.Target: // of iptables, whose other verdicts are those of nftables
			return true, e.Name == "REJECT"
		case *expr.Verdict:
			switch e.Kind {
			case expr.VerdictDrop:
				return true, true
			case expr.VerdictAccept:
				return false, true
			}
			return false, false
		default:
			return false, false
		}
	}
	return false, false
}

// remedy knows the programs that people run: docker's chain for users, the commands of ufw and firewalld, else nft itself.
func remedy(table, chain, bridge string, names map[string]bool) string {
	switch {
	case names[table+" DOCKER-USER"]:
		return fmt.Sprintf("%s -I DOCKER-USER -i %s -j ACCEPT && %[1]s -I DOCKER-USER -o %[2]s -j ACCEPT", iptables(table), bridge)
	case names[table+" ufw-before-forward"], names[table+" ufw6-before-forward"]:
		return fmt.Sprintf("ufw route allow in on %s && ufw route allow out on %[1]s", bridge)
	case table == "inet firewalld":
		return fmt.Sprintf("firewall-cmd --permanent --zone=trusted --add-interface=%s && firewall-cmd --reload", bridge)
	default:
		return fmt.Sprintf("nft 'insert rule %s %s iifname %s accept; insert rule %[1]s %[2]s oifname %[3]s accept'", table, chain, bridge)
	}
}

func iptables(table string) string {
	if strings.HasPrefix(table, "ip6 ") {
		return "ip6tables"
	}
	return "iptables"
}

func family(f nftables.TableFamily) string {
	switch f {
	case nftables.TableFamilyIPv4:
		return "ip"
	case nftables.TableFamilyIPv6:
		return "ip6"
	case nftables.TableFamilyINet:
		return "inet"
	default:
		return ""
	}
}
