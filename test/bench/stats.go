package main

import (
	"slices"
	"time"
)

// sample is what was measured of one peer in one measure, in milliseconds unless the measure says otherwise.
type sample struct {
	Min, Median, Max float64
	N                int
}

func summarise(values []float64) sample {
	if len(values) == 0 {
		return sample{}
	}
	v := slices.Sorted(slices.Values(values))
	mid := v[len(v)/2]
	if len(v)%2 == 0 {
		mid = (v[len(v)/2-1] + v[len(v)/2]) / 2
	}
	return sample{Min: v[0], Median: mid, Max: v[len(v)-1], N: len(v)}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// fastest names the peer of those with a prefix whose median is least, or greatest where more is better.
func fastest(of map[string]sample, more bool, ok func(string) bool) (name string) {
	for n, s := range of {
		if s.N == 0 || !ok(n) {
			continue
		}
		if name == "" || (s.Median < of[name].Median) != more {
			name = n
		}
	}
	return name
}
