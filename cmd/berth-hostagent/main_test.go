package main

import (
	"strings"
	"testing"
)

func TestRunRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"":         "a verb is needed",
		"nonsense": `no verb "nonsense"`,
	} {
		var out strings.Builder
		if code := run(strings.Fields(args), &out); code != 2 || !strings.Contains(out.String(), want) {
			t.Errorf("%q: code %d: %s", args, code, out.String())
		}
	}
}
