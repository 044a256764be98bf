package runflags

import (
	"fmt"
	"strings"
)

// once is a string that knows whether it was set, an empty one included.
type once struct {
	to  *string
	set *bool
}

func (o *once) String() string {
	if o.to == nil {
		return ""
	}
	return *o.to
}

func (o *once) Set(v string) error {
	*o.to, *o.set = v, true
	return nil
}

func (*once) Type() string { return "string" }

func validateAttach(v string) (string, error) {
	s := strings.ToLower(v)
	switch s {
	case "stdin", "stdout", "stderr":
		return s, nil
	}
	return v, fmt.Errorf("valid streams are STDIN, STDOUT and STDERR")
}
