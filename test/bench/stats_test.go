package main

import (
	"strings"
	"testing"
)

func TestSummarise(t *testing.T) {
	for _, tc := range []struct {
		in   []float64
		want sample
	}{
		{nil, sample{}},
		{[]float64{3}, sample{3, 3, 3, 1}},
		{[]float64{5, 1, 3}, sample{1, 3, 5, 3}},
		{[]float64{4, 1, 2, 9}, sample{1, 3, 9, 4}},
	} {
		if got := summarise(tc.in); got != tc.want {
			t.Errorf("%v: %+v, want %+v", tc.in, got, tc.want)
		}
	}
}

func TestFastest(t *testing.T) {
	of := map[string]sample{"berth": {1, 1, 1, 1}, "docker": {9, 9, 9, 1}, "docker-28": {5, 5, 5, 1}, "docker-none": {}}
	docker := func(n string) bool { return strings.HasPrefix(n, "docker") }
	if got := fastest(of, false, docker); got != "docker-28" {
		t.Errorf("least: %q", got)
	}
	if got := fastest(of, true, docker); got != "docker" {
		t.Errorf("most: %q", got)
	}
	if got := fastest(of, false, func(string) bool { return false }); got != "" {
		t.Errorf("none: %q", got)
	}
}
