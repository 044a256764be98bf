package main

import (
	"maps"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// document is what is used of moby's OpenAPI (Swagger 2.0) document.
type document struct {
	Info        struct{ Version string }
	Paths       map[string]map[string]operation
	Definitions map[string]*schema
}

type operation struct {
	Tags       []string
	Parameters []parameter
	Responses  map[string]struct{ Schema *schema }
}

type parameter struct {
	Name, In string
	Schema   *schema
}

type schema struct {
	Ref        string    `yaml:"$ref"`
	AllOf      []*schema `yaml:"allOf"`
	Properties map[string]*schema
	Items      *schema
	// Additional is a schema or a bool; a node that is not a schema has no fields.
	Additional yaml.Node `yaml:"additionalProperties"`
}

func load(file string) (*document, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	d := &document{}
	return d, yaml.Unmarshal(b, d)
}

// parts are the schemas that a schema consists of, references followed.
func (d *document) parts(s *schema) (out []*schema) {
	if s == nil {
		return nil
	}
	if name, ok := strings.CutPrefix(s.Ref, "#/definitions/"); ok {
		return d.parts(d.Definitions[name])
	}
	out = append(out, s)
	for _, p := range s.AllOf {
		out = append(out, d.parts(p)...)
	}
	return out
}

// additional is the schema of a map's values, nil where it is no map.
func (s *schema) additional() *schema {
	if s.Additional.Kind != yaml.MappingNode {
		return nil
	}
	inner := &schema{}
	if s.Additional.Decode(inner) != nil {
		return nil
	}
	return inner
}

// deepest bounds recursive schemas.
const deepest = 12

// fields lists the ways to all fields: "State.Health.Log[].Start", with {} for any key of a map.
func (d *document) fields(s *schema, way string, depth int, each func(string)) {
	if depth > deepest {
		return
	}
	for _, p := range d.parts(s) {
		for _, name := range slices.Sorted(maps.Keys(p.Properties)) {
			full := strings.TrimPrefix(way+"."+name, ".")
			each(full)
			d.fields(p.Properties[name], full, depth+1, each)
		}
		if p.Items != nil {
			d.fields(p.Items, way+"[]", depth+1, each)
		}
		if a := p.additional(); a != nil {
			each(way + "{}")
			d.fields(a, way+"{}", depth+1, each)
		}
	}
}

// follow turns the keys of a JSON value into the way of the field in the document, "" if the document has none.
func (d *document) follow(s *schema, keys []string) string {
	way := ""
	for _, k := range keys {
		next, step := d.step(s, k)
		if step == "" {
			return ""
		}
		s, way = next, way+step
	}
	return strings.TrimPrefix(way, ".")
}

func (d *document) step(s *schema, key string) (*schema, string) {
	parts := d.parts(s)
	for _, p := range parts {
		if key == "[]" && p.Items != nil {
			return p.Items, "[]"
		}
		if next, ok := p.Properties[key]; ok {
			return next, "." + key
		}
	}
	for _, p := range parts {
		if a := p.additional(); a != nil {
			return a, "{}"
		}
	}
	return nil, ""
}
