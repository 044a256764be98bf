package image

import (
	"strings"
	"testing"

	"github.com/docker/cli/cli/command/formatter"
	"github.com/moby/moby/api/types/registry"
)

func TestSearchTable(t *testing.T) {
	list := []registry.SearchResult{
		{Name: "web", Description: "serves\nfiles and a lot of other things that nobody reads", StarCount: 90, IsOfficial: true},
		{Name: "me/web", StarCount: 3},
	}
	for _, tt := range []struct {
		format string
		trunc  bool
		want   string
	}{
		{searchTable, true, "NAME      DESCRIPTION                                     STARS     OFFICIAL\n" +
			"web       serves files and a lot of other things that …   90        [OK]\n" +
			"me/web                                                    3         \n"},
		{"{{.Name}}|{{.Description}}|{{.IsOfficial}}", false, "web|serves files and a lot of other things that nobody reads|[OK]\nme/web||\n"},
		{"json", true, `{"Description":"serves files and a lot of other things that …","IsOfficial":"true","Name":"web","StarCount":"90"}` + "\n" +
			`{"Description":"","IsOfficial":"false","Name":"me/web","StarCount":"3"}` + "\n"},
	} {
		var out strings.Builder
		if err := writeSearch(formatter.Context{Output: &out, Format: formatter.Format(tt.format), Trunc: tt.trunc}, list); err != nil || out.String() != tt.want {
			t.Errorf("%s: %v\n%q\nwant\n%q", tt.format, err, out.String(), tt.want)
		}
	}
}

func TestWhereIsSearched(t *testing.T) {
	for term, want := range map[string]string{"web": "docker.io/library/x", "me/web": "docker.io/library/x", "box:5000/a b": "box:5000/x", "localhost/a": "localhost/x"} {
		if got := searched(term); got != want {
			t.Errorf("%s: %s", term, got)
		}
	}
}
