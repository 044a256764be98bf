//go:build linux

package foreign

import (
	"fmt"
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

// Closed lists the hooks that stop packets of bridges. table is the nftables table (family inet) that does not count: our own.
func Closed(table string, bridges []string) ([]Hook, error) {
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
			if h.stops(b) {
				stopped = append(stopped, b)
			}
		}
		if len(stopped) > 0 {
			out = append(out, Hook{Place: h.place(), Bridges: stopped, Remedy: h.remedy(stopped)})
		}
	}
	return out, nil
}
