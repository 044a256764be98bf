//go:build linux

package foreign

import "strings"

// action is what a rule does with a packet that it is about.
type action int

const (
	goesOn action = iota // to the next rule
	accepts
	drops // or rejects
	returns
	jumps
	gotos
)

// rule is a rule as far as it is of interest here: what it asks of interfaces, and what it does.
type rule struct {
	in, out *iface // nil: any
	dnat    bool   // it asks for packets whose destination was translated, as those to published ports
	other   bool   // it asks for something else
	do      action
	chain   string // of jumps and gotos
}

// iface is what a rule asks of an interface's name.
type iface struct {
	name   string
	prefix bool // only the beginning of it
	not    bool
}

// packet begins a connection from a bridge to elsewhere or, by a published port, from elsewhere to a bridge. The
// interface that is elsewhere is empty.
type packet struct{ in, out string }

// matches says whether a rule is about a packet for certain.
func (r rule) matches(p packet) bool {
	return !r.other && (!r.dnat || p.in == "") && r.in.has(p.in) && r.out.has(p.out)
}

func (i *iface) has(name string) bool {
	switch {
	case i == nil:
		return true
	case name == "": // could be any
		return false
	case i.prefix:
		return strings.HasPrefix(name, i.name) != i.not
	}
	return (name == i.name) != i.not
}

// hook is a base chain of a forward hook. Chains are looked up by name.
type hook struct {
	kind   kind
	table  string // "ip filter"
	base   string
	policy action
	chains func(name string) []rule
	names  map[string]bool // of the table's chains
}

// maxDepth is how deep chains may call each other; the kernel allows as much.
const maxDepth = 16

// stops says whether packets to or from a bridge that nobody has spoken of go no further. Rules that ask for more than
// interfaces are passed over.
func (h hook) stops(bridge string) bool {
	for _, p := range []packet{{in: bridge}, {out: bridge}} {
		fate := h.walk(h.base, p, 0)
		if fate == goesOn {
			fate = h.policy
		}
		if fate == drops {
			return true
		}
	}
	return false
}

// walk follows a packet through a chain: accepts, drops, or goesOn where the chain ends.
func (h hook) walk(chain string, p packet, depth int) action {
	if depth > maxDepth {
		return goesOn
	}
	for _, r := range h.chains(chain) {
		if !r.matches(p) {
			continue
		}
		switch r.do {
		case accepts, drops:
			return r.do
		case returns:
			return goesOn
		case gotos:
			return h.walk(r.chain, p, depth+1)
		case jumps:
			if fate := h.walk(r.chain, p, depth+1); fate != goesOn {
				return fate
			}
		}
	}
	return goesOn
}
