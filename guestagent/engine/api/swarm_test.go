package api

import (
	"net/http"
	"strings"
	"testing"
)

// What dockerd 28.5 answers outside a swarm, without plug-ins and without its experimental mode, measured.
func TestWhatThisEngineIsNotIsAnsweredAsDockerdDoes(t *testing.T) {
	managers := `GET /swarm|GET /swarm/unlockkey|POST /swarm/update?version=1|POST /swarm/unlock
		GET /services|POST /services/create|GET /services/x|GET /services/x/logs?stdout=1|POST /services/x/update?version=1|DELETE /services/x
		GET /nodes|GET /nodes/x|POST /nodes/x/update?version=1|DELETE /nodes/x
		GET /tasks|GET /tasks/x|GET /tasks/x/logs?stdout=1
		GET /secrets|POST /secrets/create|GET /secrets/x|POST /secrets/x/update?version=1|DELETE /secrets/x
		GET /configs|POST /configs/create|GET /configs/x|POST /configs/x/update?version=1|DELETE /configs/x`
	type answer struct {
		status  int
		message string
	}
	want := map[string]answer{
		"POST /swarm/leave":                  {503, "This node is not part of a swarm"},
		"POST /swarm/join":                   {501, "swarm mode is not supported by this engine"},
		"POST /swarm/init":                   {501, "swarm mode is not supported by this engine"},
		"GET /plugins":                       {200, "[]"},
		"GET /plugins/x/json":                {404, `plugin \"x\" not found`},
		"DELETE /plugins/x":                  {404, `plugin \"x\" not found`},
		"POST /plugins/x/enable?timeout=1":   {404, `plugin \"x\" not found`},
		"POST /plugins/x/disable":            {404, `plugin \"x\" not found`},
		"POST /plugins/x/push":               {404, `plugin \"x\" not found`},
		"POST /plugins/x/set":                {404, `plugin \"x\" not found`},
		"POST /plugins/x/upgrade?remote=y":   {404, `plugin \"x\" not found`},
		"GET /plugins/privileges?remote=x":   {501, "plugins are not supported by this engine"},
		"POST /plugins/pull?remote=x":        {501, "plugins are not supported by this engine"},
		"POST /plugins/create?name=a":        {501, "plugins are not supported by this engine"},
		"PUT /volumes/x?version=1":           {503, "volume update only valid for cluster volumes, but swarm is unavailable"},
		"GET /containers/x/checkpoints":      {501, "experimental"},
		"POST /containers/x/checkpoints":     {501, "experimental"},
		"DELETE /containers/x/checkpoints/y": {501, "experimental"},
	}
	for _, req := range strings.FieldsFunc(managers, func(r rune) bool { return r == '|' || r == '\n' }) {
		want[strings.TrimSpace(req)] = answer{503, "This node is not a swarm manager. Use "}
	}
	for req, a := range want {
		method, target, _ := strings.Cut(req, " ")
		if w := ask(&fake{}, method, target, ""); w.Code != a.status || !strings.Contains(w.Body.String(), a.message) {
			t.Errorf("%s: %d %s; want %d %q", req, w.Code, w.Body, a.status, a.message)
		}
	}
	if w := ask(&fake{}, "DELETE", "/containers/x/checkpoints", ""); w.Code != http.StatusNoContent {
		t.Errorf("a container of this name is removed: %d %s", w.Code, w.Body)
	}
}
