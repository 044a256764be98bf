package vz

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

//go:embed selectors.txt
var selectors string

// table is what is known of the frameworks' classes.
type table struct {
	super   map[string]string // of each class; "" of the root
	methods map[string]method // by "Class -selector:"
}

// method is one that may be called.
type method struct {
	class, selector string
	static          bool
	returned        string
	args            []string
	since           int // the macOS that has it first; 0: all that berth runs on
}

// name is how the driver writes it.
func (m method) name() string {
	if m.static {
		return m.class + " +" + m.selector
	}
	return m.class + " -" + m.selector
}

// knownMethods is the table of selectors.txt.
func knownMethods() (*table, error) { return parseTable(selectors) }

func parseTable(text string) (*table, error) {
	t := &table{super: map[string]string{}, methods: map[string]method{}}
	class := ""
	for i, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		since, words, err := sinceOf(words)
		switch {
		case err != nil:
		case words[0] == "class" && (len(words) == 2 || len(words) == 3):
			class = words[1]
			t.super[class] = strings.Join(words[2:], "")
		case class != "" && len(words) >= 2 && (words[0][0] == '+' || words[0][0] == '-'):
			m := method{class: class, selector: words[0][1:], static: words[0][0] == '+', returned: words[1], args: words[2:], since: since}
			if n := strings.Count(m.selector, ":"); n != len(m.args) {
				err = fmt.Errorf("%s has %d arguments and %d types", m.name(), n, len(m.args))
			}
			t.methods[m.name()] = m
		default:
			err = fmt.Errorf("%q is no method", line)
		}
		if err != nil {
			return nil, fmt.Errorf("table of methods, line %d: %w", i+1, err)
		}
	}
	return t, nil
}

func sinceOf(words []string) (int, []string, error) {
	last := len(words) - 1
	v, ok := strings.CutPrefix(words[last], "since=")
	if !ok {
		return 0, words, nil
	}
	n, err := strconv.Atoi(v)
	return n, words[:last], err
}

// is says whether a class is another or descends from it.
func (t *table) is(class, of string) bool {
	for c := class; c != ""; c = t.super[c] {
		if c == of {
			return true
		}
	}
	return false
}

// find is the method that a name means, also one of a superclass.
func (t *table) find(name string) (method, error) {
	class, selector, ok := strings.Cut(name, " ")
	if !ok {
		return method{}, fmt.Errorf("%q is no name of a method", name)
	}
	if _, known := t.super[class]; !known {
		return method{}, fmt.Errorf("%s: there is no such class", name)
	}
	for c := class; c != ""; c = t.super[c] {
		if m, ok := t.methods[c+" "+selector]; ok {
			return m, nil
		}
	}
	return method{}, fmt.Errorf("%s: the class has no such method", name)
}

// check says what is wrong with the arguments of a call. isKind tells of an object whether it is of a class.
func (m method) check(args []any, isKind func(object, string) bool) error {
	if len(args) != len(m.args) {
		return fmt.Errorf("%s takes %d arguments, not %d", m.name(), len(m.args), len(args))
	}
	for i, want := range m.args {
		if got := typeOf(args[i]); got != want && !isObjectOf(args[i], want, isKind) {
			return fmt.Errorf("%s: argument %d is %s, not %s", m.name(), i+1, got, want)
		}
	}
	return nil
}

// isObjectOf says whether an argument is an object of the class that a type names. Of nil every class is true; whether
// nil may be given is not written down in the framework's types.
func isObjectOf(arg any, want string, isKind func(object, string) bool) bool {
	o, ok := arg.(object)
	if !ok || want == "" || want[0] != '@' || strings.HasPrefix(want, "@?") {
		return false
	}
	return want == "@" || o == 0 || isKind(o, want[1:])
}

// typeOf is the Objective-C type that a Go value is sent as.
func typeOf(arg any) string {
	switch arg.(type) {
	case object:
		return "@"
	case done:
		return "@?(NSError)"
	case connected:
		return "@?(VZVirtioSocketConnection,NSError)"
	case bool:
		return "B"
	case int32:
		return "i"
	case uint32:
		return "I"
	case int64:
		return "q"
	case uint64:
		return "Q"
	case *object:
		return "^@"
	}
	return fmt.Sprintf("%T", arg)
}

// encoding is the method's type as the Objective-C runtime writes it, without the sizes.
func (m method) encoding() string {
	s := plainType(m.returned) + "@:"
	for _, a := range m.args {
		s += plainType(a)
	}
	return s
}

// plainType leaves out what the runtime does not know of a type.
func plainType(t string) string {
	switch {
	case strings.HasPrefix(t, "@?"):
		return "@?"
	case strings.HasPrefix(t, "@"):
		return "@"
	}
	return t
}

// sameEncoding compares encoding with what the runtime of a Mac says: sizes and qualifiers aside, and BOOL is a signed
// char on Intel.
func sameEncoding(ours, runtimes string) bool {
	var b strings.Builder
	for _, c := range runtimes {
		switch {
		case '0' <= c && c <= '9', strings.ContainsRune("rnNoORV", c):
		case c == 'c':
			b.WriteByte('B')
		default:
			b.WriteRune(c)
		}
	}
	return b.String() == ours
}
