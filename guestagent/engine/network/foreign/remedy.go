//go:build linux

package foreign

import (
	"fmt"
	"strings"
)

// kind is what keeps a hook's rules.
type kind int

const (
	nftables kind = iota
	legacy        // iptables without nftables: ip_tables, ip6_tables
)

func (h hook) place() string {
	if h.kind == legacy {
		return fmt.Sprintf("%s table %q (chain %s)", h.iptables(), "filter", h.base)
	}
	return fmt.Sprintf("nftables table %q (chain %s)", h.table, h.base)
}

// remedy is the command for several bridges.
func (h hook) remedy(bridges []string) string {
	if len(bridges) == 1 {
		return h.command(bridges[0])
	}
	return fmt.Sprintf("for i in %s; do %s; done", strings.Join(bridges, " "), h.command("$i"))
}

// command knows the programs that people run: docker's chain for users, the commands of ufw and firewalld, else the rules' own program.
func (h hook) command(bridge string) string {
	switch {
	case h.names["DOCKER-USER"]:
		return fmt.Sprintf("%s -I DOCKER-USER -i %s -j ACCEPT && %[1]s -I DOCKER-USER -o %[2]s -j ACCEPT", h.iptables(), bridge)
	case h.names["ufw-before-forward"], h.names["ufw6-before-forward"]:
		return fmt.Sprintf("ufw route allow in on %s && ufw route allow out on %[1]s", bridge)
	case h.table == "inet firewalld":
		return fmt.Sprintf("firewall-cmd --permanent --zone=trusted --add-interface=%s && firewall-cmd --reload", bridge)
	case h.kind == legacy:
		return fmt.Sprintf("%s -I %s -i %s -j ACCEPT && %[1]s -I %[2]s -o %[3]s -j ACCEPT", h.iptables(), h.base, bridge)
	}
	quote := "'"
	if strings.HasPrefix(bridge, "$") {
		quote = `"`
	}
	return fmt.Sprintf("nft %[1]sinsert rule %[2]s %[3]s iifname %[4]s accept; insert rule %[2]s %[3]s oifname %[4]s accept%[1]s", quote, h.table, h.base, bridge)
}

// iptables is the program that changes a table of iptables.
func (h hook) iptables() string {
	program := "iptables"
	if strings.HasPrefix(h.table, "ip6 ") {
		program = "ip6tables"
	}
	if h.kind == legacy {
		program += "-legacy"
	}
	return program
}
