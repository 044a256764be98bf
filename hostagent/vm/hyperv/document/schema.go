package document

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed schema.txt
var schemaText string

// Roots of documents.
const (
	RootSystem   = "ComputeSystem"
	RootShutdown = "ShutdownOptions"
	RootModify   = "ModifySettingRequest"
)

// schema is the table of schema.txt.
type schema struct {
	builds []Build
	types  map[string]shape
}

// shape is one type: the fields of an object, or the values of an enumeration.
type shape struct {
	enum   bool
	fields map[string]field
}

// field is one field or value.
type field struct {
	first, last Build // last is 0 where every later build has it
	kind        string
}

func (f field) in(b Build) bool { return b >= f.first && (f.last == 0 || b <= f.last) }

var published = sync.OnceValue(func() schema {
	s, err := parseSchema(schemaText)
	if err != nil {
		panic(err) // the table is compiled in, and a test reads it
	}
	return s
})

// Builds are those whose schemas are known, oldest first.
func Builds() []Build { return slices.Clone(published().builds) }

// published by Windows up to the build that is asked for: one between two releases is like the earlier of them.
func (s schema) like(b Build) Build {
	is := s.builds[0]
	for _, known := range s.builds {
		if known <= b {
			is = known
		}
	}
	return is
}

func knows(b Build, kind, name string) bool {
	f, ok := published().types[kind].fields[name]
	return ok && f.in(published().like(b))
}

func parseSchema(text string) (schema, error) {
	s := schema{types: map[string]shape{}}
	var name string
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0] == "#":
		case words[0] == "builds":
			for _, w := range words[1:] {
				n, err := strconv.Atoi(w)
				if err != nil {
					return s, fmt.Errorf("schema: %q: %w", line, err)
				}
				s.builds = append(s.builds, Build(n))
			}
		case len(words) == 2 && (words[0] == "type" || words[0] == "enum"):
			name = words[1]
			s.types[name] = shape{enum: words[0] == "enum", fields: map[string]field{}}
		case len(words) < 2 || s.types[name].fields == nil:
			return s, fmt.Errorf("schema: %q belongs to no type", line)
		default:
			f, err := parseField(words[1:])
			if err != nil {
				return s, fmt.Errorf("schema: %q: %w", line, err)
			}
			s.types[name].fields[words[0]] = f
		}
	}
	if len(s.builds) == 0 {
		return s, errors.New("schema: no builds")
	}
	return s, nil
}

func parseField(words []string) (f field, err error) {
	from, to, ends := strings.Cut(words[0], "-")
	first, err := strconv.Atoi(from)
	if err != nil {
		return f, err
	}
	f.first = Build(first)
	if ends {
		last, err := strconv.Atoi(to)
		if err != nil {
			return f, err
		}
		f.last = Build(last)
	}
	if len(words) > 1 {
		f.kind = words[1]
	}
	return f, nil
}

// Check holds a document against the schema of a build. The error has a line for each fault, with the place of it.
func Check(root string, doc []byte, b Build) error {
	s := published()
	if _, ok := s.types[root]; !ok {
		return fmt.Errorf("no document is called %q", root)
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one document")
	}
	c := checker{schema: s, build: s.like(b)}
	c.value(root, root, v)
	return errors.Join(c.faults...)
}

type checker struct {
	schema schema
	build  Build
	faults []error
}

func (c *checker) fault(at, format string, args ...any) {
	c.faults = append(c.faults, fmt.Errorf("%s: "+format, append([]any{at}, args...)...))
}

func (c *checker) value(at, kind string, v any) {
	if of, ok := strings.CutPrefix(kind, "list:"); ok {
		list, ok := v.([]any)
		if !ok {
			c.fault(at, "not a list")
		}
		for i, e := range list {
			c.value(fmt.Sprintf("%s/%d", at, i), of, e)
		}
		return
	}
	if of, ok := strings.CutPrefix(kind, "map:"); ok {
		object, ok := v.(map[string]any)
		if !ok {
			c.fault(at, "not an object")
		}
		for _, k := range slices.Sorted(maps.Keys(object)) {
			c.value(at+"/"+k, of, object[k])
		}
		return
	}
	if s, ok := c.schema.types[kind]; ok {
		if s.enum {
			c.enum(at, s, v)
		} else {
			c.object(at, s, v)
		}
		return
	}
	c.plain(at, kind, v)
}

func (c *checker) object(at string, s shape, v any) {
	object, ok := v.(map[string]any)
	if !ok {
		c.fault(at, "not an object")
		return
	}
	for _, k := range slices.Sorted(maps.Keys(object)) {
		f, ok := s.fields[k]
		switch {
		case !ok:
			c.fault(at+"/"+k, "no such field")
		case !f.in(c.build):
			c.fault(at+"/"+k, "Windows build %d does not know it", c.build)
		default:
			c.value(at+"/"+k, f.kind, object[k])
		}
	}
}

func (c *checker) enum(at string, s shape, v any) {
	text, _ := v.(string)
	if f, ok := s.fields[text]; !ok || !f.in(c.build) {
		c.fault(at, "%v is no value of it in Windows build %d", v, c.build)
	}
}

// ranges of the whole numbers.
var ranges = map[string]struct {
	bits   uint
	signed bool
}{
	"uint8": {8, false}, "uint16": {16, false}, "uint32": {32, false}, "uint64": {64, false},
	"int8": {8, true}, "int16": {16, true}, "int32": {32, true}, "int64": {64, true}, "integer": {64, true},
}

func (c *checker) plain(at, kind string, v any) {
	var ok bool
	switch kind {
	case "string", "date-time", "byte":
		_, ok = v.(string)
	case "boolean":
		_, ok = v.(bool)
	case "number", "double":
		_, ok = v.(json.Number)
	case "any":
		_, ok = v.(map[string]any)
	default:
		r, known := ranges[kind]
		if !known {
			c.fault(at, "the table has the unknown type %q", kind)
			return
		}
		n, whole := v.(json.Number)
		i, good := new(big.Int).SetString(n.String(), 10)
		ok = whole && good && fits(i, r.bits, r.signed)
	}
	if !ok {
		c.fault(at, "%v is not %s", v, kind)
	}
}

func fits(n *big.Int, bits uint, signed bool) bool {
	if !signed {
		return n.Sign() >= 0 && n.BitLen() <= int(bits)
	}
	return n.BitLen() < int(bits) || n.Sign() < 0 && new(big.Int).Neg(n).Cmp(new(big.Int).Lsh(big.NewInt(1), bits-1)) == 0
}
