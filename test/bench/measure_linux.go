package main

import (
	"fmt"
	"strings"
	"time"
)

// measure is one thing that is measured of every peer that can do it.
type measure struct {
	name string
	unit string
	more bool // more is better
	n    int  // repetitions; 0 is the -n of the command line
	// prepare makes what one peer needs, before the first repetition; its result takes it away.
	prepare func(b *bench, p *peer) (undo func(), err error)
	once    func(b *bench, p *peer) (float64, error)
	can     func(p *peer) bool
	goal    string // of the issue, as text
	reached func(of map[string]sample) (ratio float64, ok, known bool)
}

func hasCLI(p *peer) bool { return len(p.cli) > 0 }

func measures() []measure {
	return []measure{
		{name: "run --rm true, bridge", unit: "ms", can: hasCLI, once: runIn("bridge"), goal: "<= 0.15 x docker", reached: against(0.15)},
		// The bare runtimes have no bridge to offer: berth with one against them without.
		{name: "run --rm true, bridge against bare", unit: "ms", can: func(p *peer) bool { return p.name == "berth" || p.name == berthErofs || p.bare != nil }, once: runIn("bridge"), goal: "<= 1 x crun", reached: notAbove("crun")},
		{name: "run --rm true, none", unit: "ms", can: func(p *peer) bool { return p.networks["none"] != "" }, once: runIn("none")},
		{name: "run --rm true, host", unit: "ms", can: hasCLI, once: runIn("host")},
		{name: "run -d", unit: "ms", can: hasCLI, once: runDetached},
		{name: "exec true", unit: "ms", can: hasCLI, prepare: sleeper, once: execTrue, goal: "<= 0.2 x docker", reached: against(0.2)},
		{name: "start", unit: "ms", can: hasCLI, prepare: stopped, once: start},
		{name: "50 at once", unit: "containers/s", more: true, n: 3, can: hasCLI, once: burst, goal: ">= 8 x docker", reached: times(8)},
		{name: "--version", unit: "ms", can: hasCLI, once: version, goal: "minimum <= 6 ms", reached: func(of map[string]sample) (float64, bool, bool) {
			return of["berth"].Min, of["berth"].Min <= 6, of["berth"].N > 0
		}},
		{name: "pull, cold", unit: "ms", n: 3, can: hasCLI, once: pull, goal: "<= 0.5 x docker", reached: against(0.5)},
		{name: "memory idle", unit: "MB PSS", n: 1, can: func(p *peer) bool { return len(p.server) > 0 }, once: idle, goal: "<= 45 MB", reached: func(of map[string]sample) (float64, bool, bool) {
			return of["berth"].Median, of["berth"].Median <= 45, of["berth"].N > 0
		}},
		{name: "memory of a container", unit: "MB PSS", n: 1, can: func(p *peer) bool { return len(p.server) > 0 }, once: perContainer, goal: "<= 1 MB", reached: func(of map[string]sample) (float64, bool, bool) {
			return of["berth"].Median, of["berth"].Median <= 1, of["berth"].N > 0
		}},
		{name: "port, connections", unit: "conn/s", more: true, n: 3, can: hasCLI, prepare: server, once: connections, goal: ">= 1 x the container's own address", reached: notBelow("port, connections")},
		{name: "port, throughput", unit: "MB/s", more: true, n: 3, can: hasCLI, prepare: server, once: throughput, goal: ">= 1 x the container's own address", reached: notBelow("port, throughput")},
	}
}

// against says whether berth's median is within a share of the fastest docker's.
func against(share float64) func(map[string]sample) (float64, bool, bool) {
	return func(of map[string]sample) (float64, bool, bool) {
		d := fastest(of, false, func(n string) bool { return strings.HasPrefix(n, "docker") })
		if d == "" || of["berth"].N == 0 {
			return 0, false, false
		}
		r := of["berth"].Median / of[d].Median
		return r, r <= share, true
	}
}

func times(factor float64) func(map[string]sample) (float64, bool, bool) {
	return func(of map[string]sample) (float64, bool, bool) {
		d := fastest(of, true, func(n string) bool { return strings.HasPrefix(n, "docker") })
		if d == "" || of["berth"].N == 0 {
			return 0, false, false
		}
		r := of["berth"].Median / of[d].Median
		return r, r >= factor, true
	}
}

func notAbove(peer string) func(map[string]sample) (float64, bool, bool) {
	return func(of map[string]sample) (float64, bool, bool) {
		if of["berth"].N == 0 || of[peer].N == 0 {
			return 0, false, false
		}
		r := of["berth"].Median / of[peer].Median
		return r, r <= 1, true
	}
}

// notBelow compares a published port with the container's own address, which the measure takes beside it.
func notBelow(string) func(map[string]sample) (float64, bool, bool) {
	return func(of map[string]sample) (float64, bool, bool) {
		if of["berth"].N == 0 || of["berth direct"].N == 0 {
			return 0, false, false
		}
		r := of["berth"].Median / of["berth direct"].Median
		return r, r >= 1, true
	}
}

func timed(r report, err error) (float64, error) { return ms(time.Duration(r.Nanos)), err }

func runIn(network string) func(*bench, *peer) (float64, error) {
	return func(b *bench, p *peer) (float64, error) {
		if p.bare != nil {
			return timed(p.agent.do(order{Argv: p.bare("true")}))
		}
		return timed(p.do("run", "--rm", "--network", p.networks[network], b.small, "true"))
	}
}

func runDetached(b *bench, p *peer) (float64, error) {
	r, err := p.do("run", "-d", "--name", "bench-d", b.small, "sleep", "1000")
	if err == nil {
		err = p.remove("bench-d")
	}
	return timed(r, err)
}

func sleeper(b *bench, p *peer) (func(), error) {
	_, err := p.do("run", "-d", "--name", "bench-s", b.small, "sleep", "1000")
	return func() { p.remove("bench-s") }, err
}

func execTrue(_ *bench, p *peer) (float64, error) { return timed(p.do("exec", "bench-s", "true")) }

func stopped(b *bench, p *peer) (func(), error) {
	_, err := p.do("create", "--name", "bench-c", b.small, "sleep", "1000")
	return func() { p.remove("bench-c") }, err
}

func start(_ *bench, p *peer) (float64, error) {
	r, err := p.do("start", "bench-c")
	if err == nil {
		_, err = p.do("kill", "bench-c")
	}
	if err == nil {
		_, err = p.do("wait", "bench-c")
	}
	return timed(r, err)
}

// atOnce is how many containers the burst runs.
const atOnce = 50

func burst(b *bench, p *peer) (float64, error) {
	r, err := p.agent.do(order{Argv: append(append([]string{}, p.cli...), "run", "--rm", b.small, "true"), Burst: atOnce})
	return atOnce / time.Duration(r.Nanos).Seconds(), err
}

func version(_ *bench, p *peer) (float64, error) { return timed(p.do("--version")) }

func pull(b *bench, p *peer) (float64, error) {
	args := []string{"pull", b.big}
	if p.name == "podman" {
		args = []string{"pull", "--tls-verify=false", b.big}
	}
	r, err := p.do(args...)
	if err == nil {
		_, err = p.do("rmi", "-f", b.big)
	}
	if err == nil && (p.name == "berth" || p.name == berthErofs) {
		_, err = p.do("image", "prune", "-f")
	}
	if err != nil {
		err = fmt.Errorf("pull: %w", err)
	}
	return timed(r, err)
}
