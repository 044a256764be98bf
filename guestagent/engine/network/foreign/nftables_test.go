//go:build linux

package foreign

import (
	"strings"
	"testing"
)

func TestClosedHooksAndTheirRemedies(t *testing.T) {
	alone(t, "nft")
	nftScript(t, "table inet berth { chain forward { type filter hook forward priority 0; policy drop; }; }")
	if hooks := closed(t); len(hooks) != 0 {
		t.Fatalf("on a clean machine: %v", hooks)
	}
	nftScript(t, `table inet mine {
		chain passing { type filter hook forward priority 0; policy drop; }
		chain ok { type filter hook input priority 0; policy drop; }
	}`)
	hooks := closed(t)
	if len(hooks) != 1 || !strings.Contains(hooks[0].String(), `nftables table "inet mine" (chain passing) drops packets to and from berth0, br-1;`) {
		t.Fatalf("got %v", hooks)
	}
	run(t, hooks[0].Remedy)
	if hooks := closed(t); len(hooks) != 0 {
		t.Errorf("after what was said to help: %v", hooks)
	}
	nftScript(t, "table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }\n chain DOCKER-USER { }\n }")
	hooks, err := Closed("berth", []Bridge{{"berth0", true, true}})
	if err != nil || len(hooks) != 1 || hooks[0].Remedy != "iptables -I DOCKER-USER -i berth0 -j ACCEPT && iptables -I DOCKER-USER -o berth0 -j ACCEPT" {
		t.Errorf("docker's remedy: %v, %v", hooks, err)
	}
}

// Rules that say something for all packets of a bridge close a hook, or open it, whatever its policy is.
func TestRulesDecideBeforePolicies(t *testing.T) {
	alone(t, "nft")
	for name, c := range map[string]struct {
		rules, policy string
		closed        bool
	}{
		"reject at the end":          {"ct state established accept; counter log reject with icmpx admin-prohibited", "accept", true},
		"drop at the end":            {"tcp dport 22 accept; counter drop", "accept", true},
		"a drop with condition":      {"tcp dport 22 drop", "accept", false},
		"all accepted":               {"counter accept", "drop", false},
		"accepted, then dropped":     {"accept; drop", "accept", false},
		"others are asked":           {"jump other", "accept", false},
		"asked, then dropped":        {"jump other; drop", "accept", true},
		"out alone":                  {"iifname berth0 accept", "drop", true},
		"both ways":                  {"iifname berth0 counter accept; oifname berth0 accept", "drop", false},
		"by their beginning":         {`iifname "ber*" accept; oifname "berth*" accept`, "drop", false},
		"another's":                  {"iifname eth0 accept; oifname eth0 accept", "drop", true},
		"with a condition":           {"iifname berth0 tcp dport 80 accept; oifname berth0 accept", "drop", true},
		"all but it":                 {"iifname != berth0 accept; oifname != berth0 accept", "drop", true},
		"said in another chain":      {"jump known", "drop", false},
		"another chain, for good":    {"goto other; accept", "drop", true},
		"back from another":          {"jump back; accept", "drop", false},
		"published ports as by ours": {"iifname berth0 accept; ct status dnat accept", "drop", false},
		"dropped by name":            {"iifname berth0 drop", "accept", true},
	} {
		nftScript(t, `flush ruleset; table inet firewalld {
			chain other { }
			chain back { return; drop; }
			chain known { iifname berth0 accept; oifname berth0 accept; drop; }
			chain filter_FORWARD { type filter hook forward priority 10; policy `+c.policy+"; "+c.rules+"\n}\n}\n")
		hooks, err := Closed("berth", []Bridge{{"berth0", true, true}})
		if err != nil || (len(hooks) == 1) != c.closed {
			t.Errorf("%s: %v, %v", name, hooks, err)
		}
		if len(hooks) == 1 && !strings.HasSuffix(hooks[0].String(), "firewall-cmd --permanent --zone=trusted --add-interface=berth0 && firewall-cmd --reload") {
			t.Errorf("%s: remedy %s", name, hooks[0])
		}
	}
}

// The same rules of iptables, through nftables.
func TestIptablesThroughNftables(t *testing.T) {
	alone(t, "iptables-nft", "ip6tables-nft")
	for _, program := range []string{"iptables-nft", "ip6tables-nft"} {
		run(t, program+" -P FORWARD DROP")
		hooks := closed(t)
		if len(hooks) != 1 {
			t.Fatalf("%s: %v", program, hooks)
		}
		run(t, program+" -N MINE && "+program+" -A FORWARD -j MINE && "+program+" -A MINE -i berth0 -j ACCEPT && "+program+" -A MINE -o berth0 -j ACCEPT && "+program+" -A MINE -i br-+ -j ACCEPT")
		if hooks = closed(t); len(hooks) != 1 || strings.Join(hooks[0].Bridges, " ") != "br-1" {
			t.Errorf("%s, of two bridges one may pass: %v", program, hooks)
		}
		run(t, program+" -P FORWARD ACCEPT && "+program+" -A FORWARD -j REJECT")
		if hooks = closed(t); len(hooks) != 1 {
			t.Errorf("%s, a REJECT for all: %v", program, hooks)
		}
		run(t, program+" -D FORWARD -j REJECT")
	}
}
