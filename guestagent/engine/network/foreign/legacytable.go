//go:build linux

package foreign

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strconv"

	"golang.org/x/sys/unix"
)

// layout is where things stand in an entry of ip_tables or ip6_tables: what it asks of a packet's head, then matches,
// then a target. All offsets are from the entry's beginning.
type layout struct {
	domain, level int
	list          string // the tables that exist
	family        string

	addresses  int // so many bytes of addresses and masks
	names      int // two names and two masks of interfaces
	proto      int // two bytes
	flags      int // flags, then the inverted ones
	gotoFlag   byte
	harmless   byte // flags that ask for nothing
	target     int  // offset of the target, offset of the next entry; two bytes each
	entryBytes int
}

var (
	layout4 = layout{domain: unix.AF_INET, level: unix.SOL_IP, list: "/proc/thread-self/net/ip_tables_names", family: "ip",
		addresses: 16, names: 16, proto: 80, flags: 82, gotoFlag: 2, harmless: 2, target: 88, entryBytes: 112}
	layout6 = layout{domain: unix.AF_INET6, level: unix.SOL_IPV6, list: "/proc/thread-self/net/ip6_tables_names", family: "ip6",
		addresses: 64, names: 64, proto: 128, flags: 131, gotoFlag: 4, harmless: 1 | 4, target: 140, entryBytes: 168}
)

// Inverted flags of interfaces' names.
const (
	notIn  = 1
	notOut = 2
)

// What netfilter is told, and the hook of forwarded packets.
const (
	nfDrop      = 0
	nfAccept    = 1
	nfRepeat    = 4
	hookForward = 2
)

// A target: its size, its name, a revision; then a verdict, or of ERROR the name of the chain that follows.
const (
	targetHead = 32
	targetName = 29
)

var errTable = errors.New("the kernel's table makes no sense")

// hook takes a table apart. Its chains have no ends that could be told from rules, and need none: a chain is called by
// the offset of its first rule, goes on to the table's end, and returns, accepts or drops before it gets there.
func (l layout) hook(table []byte, forward uint32) (hook, error) {
	h := hook{kind: legacy, table: l.family + " filter", base: "FORWARD", policy: accepts, names: map[string]bool{}}
	var rules []rule
	at := map[string]int{}
	for off := 0; off < len(table); {
		rest := table[off:]
		if len(rest) < l.entryBytes {
			return h, errTable
		}
		target, next := int(binary.NativeEndian.Uint16(rest[l.target:])), int(binary.NativeEndian.Uint16(rest[l.target+2:]))
		if target < l.entryBytes || target+targetHead > next || next > len(rest) {
			return h, errTable
		}
		at[strconv.Itoa(off)] = len(rules)
		r, chain := l.rule(rest[:next], target)
		rules = append(rules, r)
		if chain != "" {
			h.names[chain] = true
		}
		off += next
	}
	h.chains = func(name string) []rule {
		if name == h.base {
			name = strconv.Itoa(int(forward))
		}
		if i, ok := at[name]; ok {
			return rules[i:]
		}
		return nil
	}
	return h, nil
}

// rule reads an entry, or tells the name of the chain that begins after it.
func (l layout) rule(entry []byte, target int) (r rule, chain string) {
	flags, inverted := entry[l.flags], entry[l.flags+1]
	r.other = target > l.entryBytes || flags&^l.harmless != 0 || inverted&^(notIn|notOut) != 0 ||
		!zero(entry[:l.addresses]) || !zero(entry[l.proto:l.proto+2])
	names := entry[l.names:]
	r.in = masked(names[:16], names[32:48], inverted&notIn != 0)
	r.out = masked(names[16:32], names[48:64], inverted&notOut != 0)

	body := entry[target+targetHead:]
	switch name := text(entry[target+2 : target+2+targetName]); {
	case name == "ERROR":
		return rule{other: true}, text(body[:min(len(body), 30)])
	case name == "REJECT":
		r.do = drops
	case name == "" && len(body) >= 4:
		r.decide(int32(binary.NativeEndian.Uint32(body)), flags&l.gotoFlag != 0)
	}
	return r, ""
}

// decide reads a standard verdict: an offset to jump to, or one less than the negative of what netfilter is told.
func (r *rule) decide(v int32, byGoto bool) {
	switch {
	case v >= 0 && byGoto:
		r.do, r.chain = gotos, strconv.Itoa(int(v))
	case v >= 0:
		r.do, r.chain = jumps, strconv.Itoa(int(v))
	case v == -nfAccept-1:
		r.do = accepts
	case v == -nfDrop-1:
		r.do = drops
	case v == -nfRepeat-1:
		r.do = returns
	}
}

// masked is an interface's name of which only what the mask covers counts.
func masked(name, mask []byte, not bool) *iface {
	covered := len(bytes.TrimRight(mask, "\x00"))
	if covered == 0 {
		return nil
	}
	full, _, ended := bytes.Cut(name[:covered], []byte{0})
	return &iface{name: string(full), prefix: !ended, not: not}
}

func zero(b []byte) bool { return len(bytes.TrimLeft(b, "\x00")) == 0 }

func text(b []byte) string {
	s, _, _ := bytes.Cut(b, []byte{0})
	return string(s)
}
