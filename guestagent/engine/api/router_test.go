package api

import (
	"net/http"
	"strings"
	"testing"
)

func TestEveryRouteIsFoundByItsOwnPath(t *testing.T) {
	r := newRouter(Routes())
	seen := map[string]bool{}
	for _, route := range Routes() {
		key := route.Method + " " + route.Path
		if seen[key] {
			t.Errorf("%s stands twice in the table", key)
		}
		seen[key] = true
		if route.Noun == "" || route.Summary == "" || route.serve == nil {
			t.Errorf("%s lacks a noun, a summary or a handler", key)
		}
		for _, name := range []string{"x", "registry.example:5000/a/b", "json", "create"} {
			open, end := strings.IndexByte(route.Path, '{'), strings.IndexByte(route.Path, '}')
			path, want := route.Path, ""
			if open >= 0 {
				path, want = route.Path[:open]+name+route.Path[end+1:], name
			}
			if r.literal[route.Method+" "+path].serve != nil && want != "" {
				continue // a literal path of the same shape wins
			}
			got, value, ok := r.find(route.Method, path, Newest())
			if !ok || got.Path != route.Path || value != want {
				t.Errorf("find(%s %s) = %s %q %v, want %s %q", route.Method, path, got.Path, value, ok, route.Path, want)
			}
		}
	}
}

func TestRouteIsUnknownBeforeItsVersion(t *testing.T) {
	r := newRouter(Routes())
	for _, route := range Routes() {
		if route.Since <= oldestMinor {
			continue
		}
		path := strings.NewReplacer("{id}", "x", "{name}", "x").Replace(route.Path)
		if got, _, ok := r.find(route.Method, path, v1(route.Since-1)); ok && got.Path == route.Path {
			t.Errorf("%s %s is served in 1.%d, before its time", route.Method, path, route.Since-1)
		}
		if _, _, ok := r.find(route.Method, path, v1(route.Since)); !ok {
			t.Errorf("%s %s is not served in 1.%d", route.Method, path, route.Since)
		}
	}
}

func TestOptions(t *testing.T) {
	if w := ask(&fake{}, "OPTIONS", "/", ""); w.Code != http.StatusOK || w.Header().Get("Api-Version") == "" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
}

func TestPageNotFound(t *testing.T) {
	for _, req := range []string{
		"GET /", "GET /nothing", "PUT /info", "GET /containers/x",
		"GET /v1.44", "GET /vx/info", "POST /images/x/json", "GET //info", "GET /v1.29/distribution/x/json", "PATCH /containers/x",
	} {
		method, path, _ := strings.Cut(req, " ")
		w := ask(&fake{}, method, path, "")
		if w.Code != http.StatusNotFound || w.Body.String() != "{\"message\":\"page not found\"}\n" {
			t.Errorf("%s = %d %s, want 404 page not found", req, w.Code, w.Body)
		}
		if got := w.Header().Get("Content-Type"); got != "application/json" {
			t.Errorf("%s: Content-Type = %q", req, got)
		}
	}
}

// Names of images hold slashes and may look like endpoints.
func TestNamesWithSlashes(t *testing.T) {
	for _, tc := range []struct{ req, want string }{
		{"GET /v1.50/images/ghcr.io/a/b:1/json", "ImageInspect ghcr.io/a/b:1 - false"},
		{"GET /images/a/json/json", "ImageInspect a/json - false"},
		{"GET /images/a/history/history", "ImageHistory a/history -"},
		{"DELETE /images/localhost:5000/x@sha256:aa?force=1", "ImageRemove localhost:5000/x@sha256:aa true false"},
		{"POST /images/localhost:5000/x/push?tag=1", "ImagePush localhost:5000/x:1 -"},
		{"POST /images/a%2Fb/tag?repo=c", "ImageTag a/b docker.io/library/c:latest"},
		{"GET /distribution/quay.io/a/b/json", "DistributionInspect quay.io/a/b"},
	} {
		f := &fake{progress: nothing}
		method, target, _ := strings.Cut(tc.req, " ")
		ask(f, method, target, "")
		if got := f.last(); got != tc.want {
			t.Errorf("%s asked the engine %q, want %q", tc.req, got, tc.want)
		}
	}
}
