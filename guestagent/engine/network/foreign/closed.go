//go:build linux

package foreign

import (
	"fmt"
	"slices"
	"strings"
)

// Hook is a place where another program looks at forwarded packets and lets some bridges' packets go no further.
type Hook struct {
	Place   string   // `nftables table "ip filter" (chain FORWARD)`
	Bridges []string // whose packets it stops
	Remedy  string   // the one command that lets them through
}

// String is one line for a person.
func (h Hook) String() string {
	return fmt.Sprintf("the forward hook of %s drops packets to and from %s; to let them through: %s", h.Place, strings.Join(h.Bridges, ", "), h.Remedy)
}

// Bridge is one of ours: its interface, and the families of addresses it has.
type Bridge struct {
	Name       string
	IPv4, IPv6 bool
}

// Closed lists the hooks that stop packets of bridges. table is the nftables table (family inet) that does not count: our own.
func Closed(table string, bridges []Bridge) ([]Hook, error) {
	hooks, err := nftHooks(table)
	if err != nil {
		return nil, err
	}
	legacy, err := legacyHooks()
	if err != nil {
		return nil, err
	}
	var out []Hook
	for _, h := range append(hooks, legacy...) {
		var stopped []string
		for _, b := range bridges {
			if h.concerns(b) && h.stops(b.Name) {
				stopped = append(stopped, b.Name)
			}
		}
		if len(stopped) == 0 {
			continue
		}
		remedy := h.remedy(stopped) // of ufw and firewalld one opens the hooks of both families
		if !slices.ContainsFunc(out, func(o Hook) bool { return o.Remedy == remedy }) {
			out = append(out, Hook{Place: h.place(), Bridges: stopped, Remedy: remedy})
		}
	}
	return out, nil
}

// concerns says whether a hook sees packets of a bridge at all.
func (h hook) concerns(b Bridge) bool {
	switch family, _, _ := strings.Cut(h.table, " "); family {
	case "ip":
		return b.IPv4
	case "ip6":
		return b.IPv6
	}
	return true
}
