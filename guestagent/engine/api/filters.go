package api

import (
	"encoding/json"

	"github.com/berthhq/berth/internal/errdefs"
)

// parseFilters reads the filters parameter in both of its forms: {"key":{"value":true}} and the older {"key":["value"]}.
func parseFilters(s string) (Filters, error) {
	if s == "" {
		return Filters{}, nil
	}
	f := Filters{}
	if err := json.Unmarshal([]byte(s), &f); err == nil {
		return f.clean(), nil
	}
	lists := map[string][]string{}
	if err := json.Unmarshal([]byte(s), &lists); err != nil {
		return nil, errdefs.Invalid("invalid filter")
	}
	f = Filters{}
	for key, values := range lists {
		f[key] = map[string]bool{}
		for _, v := range values {
			f[key][v] = true
		}
	}
	return f, nil
}

// clean gives a map without nil values, whatever the client wrote ("null", {"key":null}).
func (f Filters) clean() Filters {
	out := Filters{}
	for key, values := range f {
		if values == nil {
			values = map[string]bool{}
		}
		out[key] = values
	}
	return out
}

// filterKeys are the filters each endpoint knows, with the first minor version of each. Events take any.
func filterKeys(endpoint string) map[string]int {
	return map[string]map[string]int{
		"containers": {
			"ancestor": 0, "before": 0, "exited": 0, "expose": 0, "health": 0, "id": 0, "is-task": 0, "isolation": 0,
			"label": 0, "name": 0, "network": 0, "publish": 0, "since": 0, "status": 0, "volume": 0, "annotation": 56,
		},
		"containers/prune": {"label": 0, "label!": 0, "until": 0},
		"images":           {"before": 0, "dangling": 0, "label": 0, "label!": 0, "reference": 0, "since": 0, "until": 0},
		"images/prune":     {"dangling": 0, "label": 0, "label!": 0, "until": 0},
		"networks":         {"dangling": 0, "driver": 0, "id": 0, "label": 0, "name": 0, "scope": 0, "type": 0},
		"networks/prune":   {"label": 0, "label!": 0, "until": 0},
		"plugins":          {"capability": 0, "enabled": 0},
		"volumes":          {"dangling": 0, "driver": 0, "label": 0, "name": 0},
		"volumes/prune":    {"all": 42, "label": 0, "label!": 0},
		"build/prune": {
			"description": 0, "id": 0, "inuse": 0, "parent": 0, "private": 0, "shared": 0, "type": 0, "unused-for": 0, "until": 0,
		},
	}[endpoint]
}

// filters reads the filters of a call and refuses keys the endpoint does not know.
func (c *call) filters(endpoint string) (Filters, error) {
	f, err := parseFilters(c.query.Get("filters"))
	if err != nil {
		return nil, err
	}
	known := filterKeys(endpoint)
	for key := range f {
		if since, ok := known[key]; known != nil && (!ok || c.version.Before(since)) {
			return nil, errdefs.Invalid("invalid filter '%s'", key)
		}
	}
	return f, nil
}
