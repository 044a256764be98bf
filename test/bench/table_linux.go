package main

import (
	"fmt"
	"os"
	"text/tabwriter"
)

// print writes the figures of one measure, each peer's beside its ratio to berth's.
func (b *bench) print(m measure) {
	of := map[string]sample{}
	for name, values := range b.values[m.name] {
		of[name] = summarise(values)
	}
	fmt.Printf("\n%s (%s)\n", m.name, m.unit)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "peer\tmin\tmedian\tmax\tn\tx berth\t")
	for _, name := range []string{"berth", "berth direct", berthErofs, "docker", "docker-28", "podman", "crun", "runc", "kernel"} {
		s, ok := of[name]
		if !ok {
			continue
		}
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.2f\t%d\t%.2f\t\n", name, s.Min, s.Median, s.Max, s.N, s.Median/of["berth"].Median)
	}
	w.Flush()
	if m.reached == nil {
		return
	}
	ratio, ok, known := m.reached(of)
	switch {
	case !known:
		fmt.Printf("goal %s: not comparable here\n", m.goal)
	case ok:
		fmt.Printf("goal %s: reached (%.2f)\n", m.goal, ratio)
	default:
		fmt.Printf("goal %s: missed (%.2f)\n", m.goal, ratio)
	}
}
