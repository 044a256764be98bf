package main

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/api"
)

// kind says what a row is about.
type kind string

const (
	kindEndpoint kind = "endpoint"
	kindPath     kind = "path"
	kindQuery    kind = "query"
	kindHeader   kind = "header"
	kindBody     kind = "request"
	kindAnswer   kind = "response"
)

// row is an endpoint, one of its parameters, or a field of what it takes or answers.
type row struct {
	endpoint string // "GET /info"
	kind     kind
	name     string // "" for the endpoint itself
}

// endpoint is one of moby's, with its rows in the order of the document.
type endpoint struct {
	key    string
	tag    string
	route  *api.Route // nil: not served
	op     operation
	rows   []row
	answer *schema
	body   *schema
}

// bare are the tags whose endpoints answer only that there is no swarm and no plug-in: they have no fields to show.
var bare = map[string]bool{"Swarm": true, "Node": true, "Service": true, "Task": true, "Secret": true, "Config": true, "Plugin": true}

// endpoints matches moby's document with the router's table. unknown are routes that the document does not have.
func endpoints(d *document, routes []api.Route) (all []*endpoint, unknown []string) {
	served := map[string]*api.Route{}
	for _, r := range routes {
		served[template(r.Method+" "+r.Path)] = &r
	}
	for path, ops := range d.Paths {
		for method, op := range ops {
			key := strings.ToUpper(method) + " " + path
			e := &endpoint{key: key, op: op, tag: op.Tags[0], route: served[template(key)]}
			delete(served, template(key))
			e.fill(d)
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b *endpoint) int {
		return cmp.Or(cmp.Compare(a.tag, b.tag), cmp.Compare(path(a.key), path(b.key)), cmp.Compare(a.key, b.key))
	})
	return all, slices.Sorted(maps.Keys(served))
}

func path(key string) string { return key[strings.IndexByte(key, ' '):] }

// template forgets the names of variables.
func template(key string) string {
	parts := strings.Split(key, "/")
	for i, p := range parts {
		if strings.HasPrefix(p, "{") {
			parts[i] = "{}"
		}
	}
	return strings.Join(parts, "/")
}

func (e *endpoint) fill(d *document) {
	e.rows = []row{{e.key, kindEndpoint, ""}}
	for _, p := range e.op.Parameters {
		switch p.In {
		case "path", "query", "header":
			e.rows = append(e.rows, row{e.key, kind(p.In), p.Name})
		case "body":
			e.body = p.Schema
		}
	}
	for _, status := range slices.Sorted(maps.Keys(e.op.Responses)) {
		if s := e.op.Responses[status].Schema; strings.HasPrefix(status, "2") && s != nil && e.answer == nil {
			e.answer = s
		}
	}
	if bare[e.tag] {
		e.rows = e.rows[:1]
		return
	}
	e.addFields(d, e.body, kindBody)
	e.addFields(d, e.answer, kindAnswer)
}

func (e *endpoint) addFields(d *document, s *schema, k kind) {
	seen := map[string]bool{}
	d.fields(s, "", 0, func(name string) {
		if !seen[name] {
			seen[name] = true
			e.rows = append(e.rows, row{e.key, k, name})
		}
	})
}
