package cli

import (
	"net/http"
	"strings"
	"testing"
)

func TestSystemPruneFiltersEverything(t *testing.T) {
	asked := map[string]string{}
	answers := map[string]func(http.ResponseWriter, *http.Request){}
	for path, body := range map[string]map[string]any{
		"/containers/prune": {"ContainersDeleted": []string{"c1"}, "SpaceReclaimed": 1000},
		"/networks/prune":   {"NetworksDeleted": []string{"n1"}},
		"/volumes/prune":    {"VolumesDeleted": []string{"v1"}, "SpaceReclaimed": 1000},
		"/images/prune":     {"ImagesDeleted": []map[string]string{{"Untagged": "i:1"}, {"Deleted": "sha256:1"}}, "SpaceReclaimed": 1000},
		"/build/prune":      {"CachesDeleted": []string{"b1"}, "SpaceReclaimed": 1000},
	} {
		answers["POST "+path] = func(w http.ResponseWriter, r *http.Request) {
			asked[path] = r.URL.Query().Get("filters")
			answer(http.StatusOK, body)(w, r)
		}
	}
	host := engine(t, answers)
	code, out, errs := berth(t, host, "", "system", "prune", "-f", "--filter", "until=24h")
	want := "Deleted Containers:\nc1\n\nDeleted Networks:\nn1\n\nDeleted Images:\nuntagged: i:1\ndeleted: sha256:1\n\nDeleted build cache objects:\nb1\n\nTotal reclaimed space: 3kB\n"
	if code != 0 || out != want || errs != "" {
		t.Errorf("code %d, %q, %q", code, out, errs)
	}
	for _, path := range []string{"/containers/prune", "/networks/prune", "/images/prune", "/build/prune"} {
		if !strings.Contains(asked[path], `"24h"`) {
			t.Errorf("%s was asked %q", path, asked[path])
		}
	}
	clear(asked)
	code, out, _ = berth(t, host, "y\n", "system", "prune", "--volumes", "--filter", "label=a")
	if code != 0 || !strings.Contains(out, "  - all anonymous volumes") || !strings.Contains(out, "  - label=a\n") || !strings.Contains(asked["/volumes/prune"], `"a"`) {
		t.Errorf("code %d, %q, %q", code, out, asked)
	}
	if _, ok := asked["/build/prune"]; ok {
		t.Error("the build cache has no labels, and was pruned")
	}
	clear(asked)
	code, _, errs = berth(t, host, "", "system", "prune", "-f", "--volumes", "--filter", "until=1h")
	if code != 1 || !strings.Contains(errs, `The "until" filter is not supported with "--volumes"`) || len(asked) > 0 {
		t.Errorf("code %d, %q, %q", code, errs, asked)
	}
}
