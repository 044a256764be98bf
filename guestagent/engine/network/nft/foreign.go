//go:build linux

package nft

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/google/nftables"
)

// Drop is another program's forward hook whose policy drops what nobody there accepts: our accept cannot overrule it.
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

// ForeignDrops lists the forward hooks of other tables with policy drop. bridge is the interface that remedies name.
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
		if ours || c.Hooknum == nil || *c.Hooknum != *nftables.ChainHookForward || c.Policy == nil || *c.Policy != nftables.ChainPolicyDrop {
			continue
		}
		fam := family(c.Table.Family)
		if fam == "" {
			continue
		}
		table := fam + " " + c.Table.Name
		drops = append(drops, Drop{Table: table, Chain: c.Name, Remedy: remedy(table, c.Name, bridge, names)})
	}
	return drops, nil
}

// remedy knows the programs that people run: docker's chain for users, ufw's own command, else nft itself.
func remedy(table, chain, bridge string, names map[string]bool) string {
	switch {
	case names[table+" DOCKER-USER"]:
		return fmt.Sprintf("%s -I DOCKER-USER -i %s -j ACCEPT && %[1]s -I DOCKER-USER -o %[2]s -j ACCEPT", iptables(table), bridge)
	case names[table+" ufw-before-forward"], names[table+" ufw6-before-forward"]:
		return fmt.Sprintf("ufw route allow in on %s && ufw route allow out on %[1]s", bridge)
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
