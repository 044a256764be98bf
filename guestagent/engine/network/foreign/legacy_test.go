//go:build linux

package foreign

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"
)

func TestIptablesWithoutNftables(t *testing.T) {
	alone(t, "iptables-legacy", "ip6tables-legacy")
	for _, program := range []string{"iptables-legacy", "ip6tables-legacy"} {
		legacyTable(t, program)
	}
}

func legacyTable(t *testing.T, program string) {
	run(t, program+" -P FORWARD DROP")
	hooks := closed(t)
	if len(hooks) != 1 || !strings.Contains(hooks[0].String(), program+` table "filter" (chain FORWARD) drops packets to and from berth0, br-1; to let them through: for i in`) {
		t.Fatalf("%s: %v", program, hooks)
	}
	run(t, hooks[0].Remedy)
	if hooks = closed(t); len(hooks) != 0 {
		t.Errorf("%s, after what was said to help: %v", program, hooks)
	}
	run(t, program+" -F FORWARD; "+program+" -P FORWARD ACCEPT")
	for name, c := range map[string]struct {
		rules  string // each is added to FORWARD; M is a chain
		closed bool
	}{
		"nothing":                {"", false},
		"reject at the end":      {"-p tcp -j ACCEPT;-j REJECT", true},
		"drop with a condition":  {"-p tcp --dport 22 -j DROP;-s ADDR -j DROP;-m conntrack --ctstate NEW -j DROP", false},
		"others are asked":       {"-j M", false},
		"asked, then dropped":    {"-j M;-j DROP", true},
		"for good":               {"-g M;-j DROP", false},
		"both ways, then nobody": {"-i berth0 -j ACCEPT;-o berth+ -j ACCEPT;-j DROP", false},
		"out alone":              {"-i berth0 -j ACCEPT;-j DROP", true},
		"all but it":             {"! -i berth0 -j ACCEPT;! -o berth0 -j ACCEPT;-j DROP", true},
	} {
		run(t, program+" -F; "+program+" -X; "+program+" -N M; "+program+" -A M -p udp -j DROP")
		addr := map[string]string{"iptables-legacy": "10.1.0.0/16", "ip6tables-legacy": "fd00::/16"}[program]
		for r := range strings.SplitSeq(c.rules, ";") {
			if r != "" {
				run(t, program+" -A FORWARD "+strings.ReplaceAll(r, "ADDR", addr))
			}
		}
		hooks, err := Closed("berth", []Bridge{{"berth0", true, true}})
		if err != nil || (len(hooks) == 1) != c.closed {
			t.Errorf("%s, %s: %v, %v", program, name, hooks, err)
		}
	}
	run(t, program+" -F; "+program+" -X; "+program+" -P FORWARD DROP; "+program+" -N DOCKER-USER")
	if hooks = closed(t); len(hooks) != 1 || !strings.Contains(hooks[0].Remedy, program+" -I DOCKER-USER -i $i -j ACCEPT") {
		t.Errorf("%s beside docker: %v", program, hooks)
	}
	run(t, program+" -F; "+program+" -X; "+program+" -P FORWARD ACCEPT")
}

// Asking must not make a table that nobody has.
func TestLegacyTablesAreNotMade(t *testing.T) {
	alone(t, "iptables-legacy")
	if hooks, err := legacyHooks(); err != nil || len(hooks) != 0 {
		t.Fatalf("%v, %v", hooks, err)
	}
	if b, _ := os.ReadFile("/proc/thread-self/net/ip_tables_names"); strings.Contains(string(b), "filter") {
		t.Errorf("there is a table now: %q", b)
	}
}

// A table that makes no sense is an error, never a crash or an endless loop.
func FuzzLegacyTable(f *testing.F) {
	entry := make([]byte, 152)
	binary.NativeEndian.PutUint16(entry[layout4.target:], 112)
	binary.NativeEndian.PutUint16(entry[layout4.target+2:], 152)
	f.Add(entry, uint32(0), false)
	loop := append([]byte{}, entry...) // jumps to itself
	f.Add(append(loop, entry...), uint32(0), true)
	f.Add(entry[:100], uint32(7), true)
	f.Fuzz(func(t *testing.T, table []byte, forward uint32, six bool) {
		l := layout4
		if six {
			l = layout6
		}
		if h, err := l.hook(table, forward); err == nil {
			h.stops("berth0")
		}
	})
}
