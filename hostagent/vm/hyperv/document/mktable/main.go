// Command mktable makes the table of package document from the JSON schemas that Microsoft publishes of the Host Compute
// Service, one file a release of Windows:
//
//	go run ./hostagent/vm/hyperv/document/mktable 17763=1809.json 18362=1903.json ... >schema.txt
//
// Windows' own containers are left out: berth makes none.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// roots are the documents that berth sends.
var roots = []string{"ComputeSystem", "ModifySettingRequest", "PauseOptions", "SaveOptions", "ShutdownOptions", "SystemQuery"}

// leftOut are fields that berth has no use for, with all below them.
var leftOut = map[string]bool{"ComputeSystem.Container": true, "ComputeSystem.HostedSystem": true, "ComputeSystem.HostingSystemId": true}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mktable:", err)
		os.Exit(1)
	}
}

// definition is one type of a schema, or the type of a field.
type definition struct {
	Type       string                `json:"type"`
	Format     string                `json:"format"`
	Ref        string                `json:"$ref"`
	Enum       []string              `json:"enum"`
	Items      *definition           `json:"items"`
	Values     *definition           `json:"additionalProperties"`
	Properties map[string]definition `json:"properties"`
}

// table is what is found, by the newest name of each type.
type table struct {
	builds  []string // oldest first
	schemas map[string]map[string]definition
	types   map[string]map[string]entry // type to field, or to value where the type is an enumeration
	enums   map[string]bool
}

// entry is one field or value: its type and the builds that have it.
type entry struct {
	kind   string
	builds []string
}

func run(args []string, out io.Writer) error {
	t := table{schemas: map[string]map[string]definition{}, types: map[string]map[string]entry{}, enums: map[string]bool{}}
	for _, arg := range args {
		build, file, ok := strings.Cut(arg, "=")
		if !ok {
			return fmt.Errorf("%q is not BUILD=FILE", arg)
		}
		defs, err := read(file)
		if err != nil {
			return err
		}
		t.builds, t.schemas[build] = append(t.builds, build), defs
	}
	for _, root := range roots {
		names := map[string]string{}
		for _, b := range t.builds {
			if _, ok := t.schemas[b][root]; ok {
				names[b] = root
			}
		}
		t.visit(root, names)
	}
	return t.write(out)
}

func read(file string) (map[string]definition, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var s struct {
		Definitions map[string]definition `json:"definitions"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix(b, []byte("\ufeff")), &s); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return s.Definitions, nil
}

// visit takes a type, which may have another name in every build, and those that its fields have.
func (t *table) visit(name string, names map[string]string) {
	if t.types[name] != nil {
		return
	}
	t.types[name] = map[string]entry{}
	below := map[string]map[string]string{} // field to build to the name of its type
	for _, b := range t.builds {
		def, ok := t.schemas[b][names[b]]
		if !ok {
			continue
		}
		for _, value := range def.Enum {
			t.enums[name] = true
			t.add(name, value, "", b)
		}
		for field, d := range def.Properties {
			if leftOut[name+"."+field] {
				continue
			}
			prefix, ref := kind(d)
			t.add(name, field, prefix+ref, b)
			if _, ok := t.schemas[b][ref]; ok {
				if below[field] == nil {
					below[field] = map[string]string{}
				}
				below[field][b] = ref
			}
		}
	}
	for _, field := range slices.Sorted(maps.Keys(below)) {
		e := t.types[name][field]
		newest := strings.TrimPrefix(strings.TrimPrefix(e.kind, "list:"), "map:")
		t.visit(newest, below[field])
	}
}

func (t *table) add(name, field, kind, build string) {
	e := t.types[name][field]
	t.types[name][field] = entry{kind, append(e.builds, build)}
}

// kind is the type of a field: a plain one, or the name of another type.
func kind(d definition) (prefix, name string) {
	switch {
	case d.Ref != "":
		return "", d.Ref[strings.LastIndexByte(d.Ref, '/')+1:]
	case d.Type == "array" && d.Items != nil:
		p, n := kind(*d.Items)
		return "list:" + p, n
	case d.Type == "object" && d.Values != nil:
		p, n := kind(*d.Values)
		return "map:" + p, n
	case d.Type == "object":
		return "", "any"
	case d.Type == "integer" && d.Format != "":
		return "", d.Format
	}
	return "", d.Type
}

func (t *table) write(out io.Writer) error {
	w := bufio.NewWriter(out)
	fmt.Fprintln(w, "# Made by mktable from the schemas that Microsoft publishes of the Host Compute Service; do not edit.")
	fmt.Fprintln(w, "# A type or an enumeration with its fields or values, each with the builds of Windows that have it, first[-last].")
	fmt.Fprintln(w, "builds", strings.Join(t.builds, " "))
	for _, name := range slices.Sorted(maps.Keys(t.types)) {
		word := "type"
		if t.enums[name] {
			word = "enum"
		}
		fmt.Fprintln(w, word, name)
		for _, field := range slices.Sorted(maps.Keys(t.types[name])) {
			e := t.types[name][field]
			span := e.builds[0]
			if last := e.builds[len(e.builds)-1]; last != t.builds[len(t.builds)-1] {
				span += "-" + last
			}
			fmt.Fprintln(w, strings.TrimSpace(" "+field+" "+span+" "+e.kind))
		}
	}
	return w.Flush()
}
