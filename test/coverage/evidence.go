package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/berthhq/berth/test/coverage/record"
)

// evidence names the test that exercises a row.
type evidence map[row]string

// doubles is the package whose engine is a double: what it answers proves nothing of berth, what it is asked does.
const doubles = "api."

// gather reads what tests have recorded.
func gather(dir string, d *document, all []*endpoint) (evidence, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		return nil, err
	}
	find := finder(all)
	ev := evidence{}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		in := json.NewDecoder(bufio.NewReader(f))
		for in.More() {
			var n record.Note
			if err := in.Decode(&n); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			if e := find(n.Method, n.Path); e != nil {
				ev.take(d, e, n)
			}
		}
		f.Close()
	}
	return ev, nil
}

func (ev evidence) take(d *document, e *endpoint, n record.Note) {
	see := func(k kind, name string) {
		r := row{e.key, k, name}
		if old, ok := ev[r]; !ok || better(n.Test, old) {
			ev[r] = n.Test
		}
	}
	see(kindEndpoint, "")
	if bare[e.tag] {
		return
	}
	for _, p := range e.op.Parameters {
		switch {
		case p.In == "path",
			p.In == "query" && slices.Contains(n.Query, p.Name),
			p.In == "header" && slices.ContainsFunc(n.Header, func(h string) bool { return strings.EqualFold(h, p.Name) }):
			see(kind(p.In), p.Name)
		}
	}
	for _, keys := range n.Body {
		if way := d.follow(e.body, keys); way != "" {
			see(kindBody, way)
		}
	}
	if strings.HasPrefix(n.Test, doubles) {
		return
	}
	for _, keys := range n.Answer {
		if way := d.follow(e.answer, keys); way != "" {
			see(kindAnswer, way)
		}
	}
}

// better prefers a real engine's test, then the first by name: the table does not change without reason.
func better(test, old string) bool {
	double := func(s string) int {
		if strings.HasPrefix(s, doubles) {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(double(test), double(old)), cmp.Compare(test, old)) < 0
}

var version = regexp.MustCompile(`^/v[0-9.]+/`)

// finder finds the endpoint of a request. Literal paths win over those with a variable.
func finder(all []*endpoint) func(method, path string) *endpoint {
	variable := regexp.MustCompile(`\\\{[a-z]+\\\}`)
	type entry struct {
		re *regexp.Regexp
		e  *endpoint
	}
	var list []entry
	for _, e := range all {
		list = append(list, entry{regexp.MustCompile("^" + variable.ReplaceAllString(regexp.QuoteMeta(e.key), "(.+)") + "$"), e})
	}
	slices.SortStableFunc(list, func(a, b entry) int {
		return cmp.Or(cmp.Compare(strings.Count(a.e.key, "{"), strings.Count(b.e.key, "{")), cmp.Compare(len(b.e.key), len(a.e.key)))
	})
	return func(method, path string) *endpoint {
		path = version.ReplaceAllString(path, "/")
		for _, l := range list {
			if l.re.MatchString(method + " " + path) {
				return l.e
			}
		}
		return nil
	}
}

// readEvidence reads the committed file.
func readEvidence(file string) (evidence, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	ev := evidence{}
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		f := strings.Split(line, "\t")
		if len(f) != 4 {
			return nil, fmt.Errorf("%s: %q is not four columns", file, line)
		}
		ev[row{f[0], kind(f[1]), f[2]}] = f[3]
	}
	return ev, nil
}

func (ev evidence) write(file string) error {
	rows := slices.SortedFunc(maps.Keys(ev), func(a, b row) int {
		return cmp.Or(cmp.Compare(a.endpoint, b.endpoint), cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name))
	})
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\n", r.endpoint, r.kind, r.name, ev[r])
	}
	return os.WriteFile(file, []byte(b.String()), 0o644)
}
