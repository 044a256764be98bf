package moving

import (
	"fmt"
	"io"
)

// report tells of each thing, as it comes along or does not.
type report struct {
	out      io.Writer
	dry      bool
	taken    int
	there    int
	failures int
}

func (r *report) line(kind, name, what string) {
	fmt.Fprintf(r.out, "%-10s %s: %s\n", kind, name, what)
}

// took says that something is here now; more is what a person must know of it.
func (r *report) took(kind, name, more string) {
	r.taken++
	what := "taken over"
	if r.dry {
		what = "would be taken over"
	}
	if more != "" {
		what += ", " + more
	}
	r.line(kind, name, what)
}

// had says that something was here before.
func (r *report) had(kind, name, why string) {
	r.there++
	r.line(kind, name, why)
}

// lost says that something stays behind.
func (r *report) lost(kind, name string, err error) {
	r.failures++
	r.line(kind, name, "left behind: "+err.Error())
}

func (r *report) sum() {
	verb := "Taken over"
	if r.dry {
		verb = "Would be taken over"
	}
	fmt.Fprintf(r.out, "\n%s: %d, left as they are here: %d, left behind: %d\n", verb, r.taken, r.there, r.failures)
}
