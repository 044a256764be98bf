package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/berthhq/berth/guestagent/engine/api"
)

const module = "../.."

// The committed table is what the router, the handlers and moby's document say now.
func TestTheTableIsFresh(t *testing.T) {
	now, err := read(module)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(module, documentFile))
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != now.render() {
		t.Errorf("%s is stale: run make coverage, or go run ./test/coverage where no test has changed", documentFile)
	}
}

// Everything in moby's document is served, and what is served beyond it is known.
func TestTheRouterServesMobysEndpoints(t *testing.T) {
	d, err := moby(module)
	if err != nil {
		t.Fatal(err)
	}
	all, unknown := endpoints(d, api.Routes())
	for _, e := range all {
		if e.route == nil {
			t.Errorf("%s is not served", e.key)
		}
	}
	// dockerd serves these, and the document leaves them out; below /berth/ are additions of our own.
	known := []string{"DELETE /containers/{}/checkpoints/{}", "GET /containers/{}/checkpoints", "GET /networks/", "POST /berth/containers/{}/edit", "POST /build/cancel", "POST /containers/{}/checkpoints", "POST /grpc"}
	if !slices.Equal(unknown, known) {
		t.Errorf("beyond the document the router has %q, not %q", unknown, known)
	}
}

// Every test that the table names exists, and what it is said to exercise is in the document.
func TestTheEvidenceIsThere(t *testing.T) {
	now, err := read(module)
	if err != nil {
		t.Fatal(err)
	}
	have, err := tests(module)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[row]bool{}
	for _, e := range now.all {
		for _, r := range e.rows {
			rows[r] = true
		}
	}
	for r, test := range now.evidence {
		if !have[test] {
			t.Errorf("%v: there is no test %s", r, test)
		}
		if !rows[r] {
			t.Errorf("%v is not in moby's document", r)
		}
	}
}

// Every endpoint of what people use is exercised.
func TestNoEndpointIsUntested(t *testing.T) {
	now, err := read(module)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range now.all {
		if s := now.state(e, e.rows[0]); s.test == "" && s.excuse == "" {
			t.Errorf("no test asks %s", e.key)
		}
	}
}
