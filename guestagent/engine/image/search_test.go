//go:build linux

package image

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/registry"
)

// index is a registry on loopback with docker's old search.
func index(t *testing.T) string {
	t.Helper()
	all := []registry.SearchResult{
		{Name: "web", StarCount: 90, IsOfficial: true, IsAutomated: true, Description: "serves\x1b[31m\nfiles"},
		{Name: "me/web", StarCount: 3}, {Name: "you/web", StarCount: 10},
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/search" {
			http.NotFound(w, r)
			return
		}
		if user, pass, _ := r.BasicAuth(); r.URL.Query().Get("q") == "private" && (user != "u" || pass != "p") {
			w.Header().Set("WWW-Authenticate", `Basic realm="index"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.URL.Query().Get("q") == "broken" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(registry.SearchResults{Query: r.URL.Query().Get("n"), Results: all})
	}))
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}

func names(list []registry.SearchResult) string {
	var out []string
	for _, r := range list {
		out = append(out, r.Name)
	}
	return strings.Join(out, " ")
}

func TestSearch(t *testing.T) {
	ctx := context.Background()
	s, host := open(t), index(t)
	for _, tt := range []struct {
		limit int
		f     map[string]map[string]bool
		want  string
	}{
		{0, nil, "web me/web you/web"},
		{2, nil, "web me/web"},
		{0, filters("is-official", "true"), "web"},
		{0, filters("is-official", "false"), "me/web you/web"},
		{0, filters("stars", "10"), "web you/web"},
		{0, filters("stars", "2", "stars", "11"), "web"},
		{0, filters("is-automated", "true"), ""},
		{0, filters("is-automated", "0"), "web me/web you/web"},
	} {
		list, err := s.ImageSearch(ctx, host+"/web", tt.limit, tt.f, nil)
		if err != nil || names(list) != tt.want {
			t.Errorf("limit %d, filters %v: %s, %v; want %s", tt.limit, tt.f, names(list), err, tt.want)
		}
		if len(list) > 0 && list[0].Name == "web" && (list[0].Description != "serves[31m files" || list[0].IsAutomated) { //nolint:staticcheck // is never true
			t.Errorf("not tidied: %+v", list[0])
		}
	}
	for what, call := range map[string]func() error{
		"invalid repository name: repository name (https://x/y) should not have a scheme": func() error { _, err := s.ImageSearch(ctx, "https://x/y", 0, nil, nil); return err },
		"limit 101 is outside the range of [1, 100]":                                      func() error { _, err := s.ImageSearch(ctx, host+"/x", 101, nil, nil); return err },
		"invalid filter 'colour'":                                                         func() error { _, err := s.ImageSearch(ctx, "x", 0, filters("colour", "red"), nil); return err },
		"invalid filter 'is-official=[perhaps]'":                                          func() error { _, err := s.ImageSearch(ctx, "x", 0, filters("is-official", "perhaps"), nil); return err },
		"invalid filter 'stars=many'":                                                     func() error { _, err := s.ImageSearch(ctx, "x", 0, filters("stars", "many"), nil); return err },
	} {
		if err := call(); errdefs.KindOf(err) != errdefs.KindInvalid || !strings.HasPrefix(err.Error(), what) {
			t.Errorf("%v, want %s", err, what)
		}
	}
	if _, err := s.ImageSearch(ctx, host+"/broken", 0, nil, nil); err == nil || !strings.Contains(err.Error(), "Unexpected status code 500") {
		t.Errorf("a broken index: %v", err)
	}
	if _, err := s.ImageSearch(ctx, host+"/private", 0, nil, nil); errdefs.KindOf(err) != errdefs.KindUnauthorized {
		t.Errorf("without credentials: %v", err)
	}
	auth := &registry.AuthConfig{Username: "u", Password: "p", ServerAddress: host}
	if list, err := s.ImageSearch(ctx, host+"/private", 0, nil, auth); err != nil || len(list) != 3 {
		t.Errorf("with credentials: %v, %v", list, err)
	}
}

// A registry that has no search is asked for its catalogue, page by page.
func TestSearchOfACatalogue(t *testing.T) {
	ctx := context.Background()
	s, h := open(t), newHub(t)
	for i, repo := range []string{"team/web", "team/db", "web"} {
		h.push(t, repo+":1", aged(t, "x", time.Unix(1e9, 0), fmt.Sprint(i)))
	}
	list, err := s.ImageSearch(ctx, h.host+"/web", 0, nil, nil) // this registry's catalogue has no order
	slices.SortFunc(list, func(a, b registry.SearchResult) int { return strings.Compare(a.Name, b.Name) })
	if err != nil || names(list) != "team/web web" {
		t.Errorf("%s, %v", names(list), err)
	}
	h.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v2/_catalog" {
			return false
		}
		if r.URL.Query().Get("last") == "" {
			w.Header().Set("Link", `</v2/_catalog?last=a&n=1>; rel="next"`)
			fmt.Fprint(w, `{"repositories":["a/web"]}`)
		} else {
			w.Header().Set("Link", `<http://elsewhere.example/v2/_catalog>; rel="next"`)
			fmt.Fprint(w, `{"repositories":["b/web"]}`)
		}
		return true
	})
	if list, err := s.ImageSearch(ctx, h.host+"/web", 2, nil, nil); err != nil || names(list) != "a/web b/web" {
		t.Errorf("over two pages: %s, %v", names(list), err)
	}
	if _, err := s.ImageSearch(ctx, h.host+"/web", 3, nil, nil); err == nil || !strings.Contains(err.Error(), "elsewhere") {
		t.Errorf("a catalogue that leads away: %v", err)
	}
}
