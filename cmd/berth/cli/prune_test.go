package cli

import (
	"net/http"
	"strings"
	"testing"
)

func TestPrunesPassTheirFiltersOn(t *testing.T) {
	for _, noun := range []string{"container", "network", "volume"} {
		var asked string
		host := engine(t, map[string]func(http.ResponseWriter, *http.Request){
			"POST /" + noun + "s/prune": func(w http.ResponseWriter, r *http.Request) {
				asked = r.URL.Query().Get("filters")
				answer(http.StatusOK, map[string]any{"SpaceReclaimed": 1000, strings.ToUpper(noun[:1]) + noun[1:] + "sDeleted": []string{"gone"}})(w, r)
			},
		})
		code, out, errs := berth(t, host, "", noun, "prune", "-f", "--filter", "label=a=b")
		if code != 0 || !strings.Contains(out, "gone") || errs != "" || !strings.Contains(asked, `"a=b"`) {
			t.Errorf("%s: exit code %d, %q, %q; asked %q", noun, code, out, errs, asked)
		}
		if code, _, errs := berth(t, host, "", noun, "prune", "-f", "--filter", "soup"); code != 125 || !strings.Contains(errs, "soup") && !strings.Contains(errs, "filter") {
			t.Errorf("%s: a bad filter: exit code %d, %q", noun, code, errs)
		}
		asked = "nothing"
		if code, _, _ := berth(t, host, "n\n", noun, "prune"); code != 0 || asked != "nothing" {
			t.Errorf("%s: without a yes: exit code %d, asked %q", noun, code, asked)
		}
	}
}
