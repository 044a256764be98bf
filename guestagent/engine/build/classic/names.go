package classic

import (
	"strconv"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// scratch is the name of no image at all.
const scratch = "scratch"

// names replaces the variables in the names of images.
type names struct {
	lex *shell.Lex
	env []string
}

// newNames knows the arguments that stand before the first stage, as the request sets them, and the platforms'.
func newNames(escape rune, args []instructions.ArgCommand, o Options) *names {
	n := &names{lex: shell.NewLex(escape)}
	machine := platforms.Normalize(platforms.DefaultSpec())
	n.platform("BUILD", machine)
	if p, err := platforms.Parse(o.Platform); err == nil {
		n.platform("TARGET", platforms.Normalize(p))
	} else {
		n.platform("TARGET", machine)
	}
	for i := range args {
		for _, a := range args[i].Args {
			switch given, ok := o.Args[a.Key]; {
			case ok && given != nil:
				n.env = append(n.env, a.Key+"="+*given)
			case a.Value != nil:
				n.env = append(n.env, a.Key+"="+n.word(*a.Value))
			}
		}
	}
	return n
}

func (n *names) platform(prefix string, p ocispec.Platform) {
	n.env = append(n.env, prefix+"PLATFORM="+platforms.FormatAll(p), prefix+"OS="+p.OS, prefix+"ARCH="+p.Architecture, prefix+"VARIANT="+p.Variant)
}

// word replaces the variables of a word; one that cannot be read stays as it is, and fails where it is used.
func (n *names) word(s string) string {
	out, _, err := n.lex.ProcessWord(s, shell.EnvsFromSlice(n.env))
	if err != nil {
		return s
	}
	return out
}

// base is the image that a stage stands on, "" where it is another stage or nothing.
func (n *names) base(stages []instructions.Stage, i int) string {
	name := n.word(stages[i].BaseName)
	if name == scratch {
		return ""
	}
	if _, ok := stageOf(stages[:i], name); ok {
		return ""
	}
	return name
}

// stageOf finds an earlier stage by its name or its number.
func stageOf(stages []instructions.Stage, name string) (int, bool) {
	for i := len(stages) - 1; i >= 0; i-- {
		if stages[i].Name != "" && strings.EqualFold(stages[i].Name, name) {
			return i, true
		}
	}
	if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(stages) {
		return i, true
	}
	return 0, false
}

// reachable says of each stage whether the target needs it.
func reachable(stages []instructions.Stage, target int, n *names) []bool {
	needed := make([]bool, len(stages))
	var visit func(i int)
	from := func(i int, name string) {
		if other, ok := stageOf(stages[:i], name); ok && name != "" {
			visit(other)
		}
	}
	visit = func(i int) {
		if needed[i] {
			return
		}
		needed[i] = true
		from(i, n.word(stages[i].BaseName))
		for _, c := range stages[i].Commands {
			switch c := c.(type) {
			case *instructions.CopyCommand:
				from(i, c.From)
			case *instructions.RunCommand:
				for _, m := range instructions.GetMounts(c) {
					from(i, m.From)
				}
			}
		}
	}
	visit(target)
	return needed
}
