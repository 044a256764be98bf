//go:build linux

package main

import (
	"context"
	"errors"
	"testing"
)

func TestOnlyTheMachinesShutdownStopsContainers(t *testing.T) {
	for _, c := range []struct {
		state string
		err   error
		want  bool
	}{{"stopping", nil, true}, {"running", nil, false}, {"degraded", nil, false}, {"", nil, false}, {"stopping", errors.New("cut"), false}} {
		got := shutsDown(func(context.Context) (string, error) { return c.state, c.err })
		if got != c.want {
			t.Errorf("%q, %v: %v", c.state, c.err, got)
		}
	}
}
