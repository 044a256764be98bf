package main

import (
	"strings"
	"testing"
)

func TestSplitTLS(t *testing.T) {
	for line, want := range map[string]string{
		"build .":                          "| build .",
		"--tlsverify build .":              "--tlsverify | build .",
		"--tls --tlscacert /a --tlskey /k": "--tls --tlscacert /a --tlskey /k |",
		"--tlscacert /a --tlscert /c bake": "--tlscacert /a --tlscert /c | bake",
		"build --tls":                      "| build --tls", // not berth's: buildx refuses it
		"--tlskey":                         "| --tlskey",
		"":                                 "|",
	} {
		tls, rest := splitTLS(strings.Fields(line))
		if got := strings.TrimSpace(strings.Join(tls, " ") + " | " + strings.Join(rest, " ")); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}
