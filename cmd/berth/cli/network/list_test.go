package network

import (
	"strings"
	"testing"
	"time"

	"github.com/docker/cli/cli/command/formatter"
	"github.com/moby/moby/api/types/network"
)

func TestList(t *testing.T) {
	list := []network.Summary{{Network: network.Network{
		ID: strings.Repeat("ab", 32), Name: "front", Driver: "bridge", Scope: "local", EnableIPv4: true,
		Labels: map[string]string{"b": "2", "a": "1"}, Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}}}
	for _, c := range []struct {
		format string
		quiet  bool
		long   bool
		want   string
	}{
		{want: "NETWORK ID     NAME      DRIVER    SCOPE\nabababababab   front     bridge    local\n"},
		{quiet: true, want: "abababababab\n"},
		{quiet: true, long: true, want: strings.Repeat("ab", 32) + "\n"},
		{format: `{{.Name}} {{.IPv4}} {{.IPv6}} {{.Internal}} {{.Labels}} {{.Label "a"}}`, want: "front true false false a=1,b=2 1\n"},
		{format: "table {{.Name}}\t{{.Labels}}", want: "NAME      LABELS\nfront     a=1,b=2\n"},
		{format: "json", want: `{"CreatedAt":"2026-01-02 03:04:05 +0000 UTC","Driver":"bridge","ID":"abababababab","IPv4":"true","IPv6":"false",` +
			`"Internal":"false","Labels":"a=1,b=2","Name":"front","Scope":"local"}` + "\n"},
	} {
		var out strings.Builder
		ctx := formatter.Context{Output: &out, Format: listFormat(c.format, c.quiet), Trunc: !c.long}
		if err := writeList(ctx, list); err != nil || out.String() != c.want {
			t.Errorf("%q (quiet %v): %q, %v; want %q", c.format, c.quiet, out.String(), err, c.want)
		}
	}
}
