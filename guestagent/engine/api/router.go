package api

import (
	"reflect"
	"runtime"
	"strings"
)

// handler serves one route. A returned error becomes the answer when nothing has been sent yet.
type handler func(*Server, *call) error

// Route is one row of the table of routes: what the API serves, as data for the router, its tests and the documents.
type Route struct {
	Method string
	// Path has at most two variables, such as {id} or {name}; the first may hold slashes, since image names do.
	Path string
	Noun string
	// Summary is one line for people.
	Summary string
	// Since is the first minor version that has the route, 0 if all served ones do.
	Since int
	// Stream says that the answer may last for as long as the client likes; it ends when the server stops.
	Stream bool
	// Hijack says that the connection may be taken over. A client that closes its sending half ahead of that has sent
	// all its input, and has not left: its call goes on.
	Hijack bool

	serve handler
}

// Handler is the name of the method that serves the route, for docs/api-coverage.md.
func (r Route) Handler() string {
	name := runtime.FuncForPC(reflect.ValueOf(r.serve).Pointer()).Name()
	return name[strings.LastIndexByte(name, '.')+1:]
}

// router finds the route of a request. Literal paths win; of the paths with a variable the longest ending wins.
type router struct {
	literal  map[string]Route
	variable map[string][]pattern
}

type pattern struct {
	prefix, suffix string
	inner          string // between two variables, "" where there is one
	route          Route
}

func newRouter(routes []Route) *router {
	r := &router{literal: map[string]Route{}, variable: map[string][]pattern{}}
	for _, route := range routes {
		open, end := strings.IndexByte(route.Path, '{'), strings.LastIndexByte(route.Path, '}')
		if open < 0 {
			r.literal[route.Method+" "+route.Path] = route
			continue
		}
		p := pattern{prefix: route.Path[:open], suffix: route.Path[end+1:], route: route}
		if first := strings.IndexByte(route.Path, '}'); first < end {
			p.inner = route.Path[first+1 : strings.LastIndexByte(route.Path, '{')]
		}
		r.variable[route.Method] = insertBySuffix(r.variable[route.Method], p)
	}
	return r
}

func insertBySuffix(list []pattern, p pattern) []pattern {
	at := len(list)
	for i, q := range list {
		if len(p.suffix)+len(p.inner) > len(q.suffix)+len(q.inner) {
			at = i
			break
		}
	}
	return append(list[:at:at], append([]pattern{p}, list[at:]...)...)
}

// find returns the route of a path without its version, and the variable's value.
func (r *router) find(method, path string, v Version) (Route, string, bool) {
	if route, ok := r.literal[method+" "+path]; ok && !v.Before(route.Since) {
		return route, "", true
	}
	for _, p := range r.variable[method] {
		if len(path) < len(p.prefix)+len(p.suffix) || v.Before(p.route.Since) {
			continue
		}
		if !strings.HasPrefix(path, p.prefix) || !strings.HasSuffix(path, p.suffix) {
			continue
		}
		name := path[len(p.prefix) : len(path)-len(p.suffix)]
		if p.inner == "" {
			return p.route, name, true
		}
		if first, second, ok := strings.Cut(name, p.inner); ok && first != "" && second != "" {
			return p.route, first, true
		}
	}
	return Route{}, "", false
}

// splitVersion takes "/v1.44/info" apart into "1.44" and "/info".
func splitVersion(path string) (version, rest string) {
	tail, ok := strings.CutPrefix(path, "/v")
	end := strings.IndexByte(tail, '/')
	if !ok || end < 1 || strings.Trim(tail[:end], "0123456789.") != "" {
		return "", path
	}
	return tail[:end], tail[end:]
}
