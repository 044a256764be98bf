package classic

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Plan is what a Dockerfile asks for, step by step.
type Plan struct {
	Steps  []Step
	Bases  []Base   // the images that needed stages stand on or copy from, each once, in the order of their steps
	Unused []string // arguments that no instruction declares, sorted
	Empty  bool     // the target is nothing at all: it stands on scratch and has no instruction

	stages []string // names
	layers [][]int  // of each stage: the steps that make layers, in order
}

// Step is one instruction.
type Step struct {
	Text    string // as it stands in the Dockerfile
	Command string // of a RUN: what is executed, as the classic builder words it
	Base    string // of a FROM: the image's name; empty for a stage or scratch
	nothing bool   // of a FROM: it is of scratch
	keyword string // in capitals
	stage   int    // -1 before the first
	layer   int    // how many layers the stage has had before this one; -1 for a step that makes none
	needed  bool   // the target wants its stage
}

// changesConfig tells that a step makes no layer, and changes what the image says of itself.
func (s *Step) changesConfig() bool { return s.stage >= 0 && s.layer < 0 && s.keyword != "FROM" }

// contained tells that the classic builder makes a container for a step.
func (s *Step) contained() bool {
	return s.changesConfig() || s.keyword == "RUN" || s.keyword == "WORKDIR"
}

// Base is an image that a build takes from elsewhere.
type Base struct {
	Name     string // as BuildKit resolves it, variables replaced
	Platform string // as the Dockerfile asks for it; "" is the build's
}

// Options are what of a request counts for the plan.
type Options struct {
	Target   string
	Args     map[string]*string
	Labels   map[string]string
	Platform string // of the build; "" is this machine's
}

// Parse reads a Dockerfile. Errors: Invalid.
func Parse(dockerfile []byte, o Options) (*Plan, error) {
	ast, err := parser.Parse(bytes.NewReader(dockerfile))
	if err != nil {
		return nil, errdefs.Invalid("failed to parse Dockerfile: %w", err)
	}
	stages, args, err := instructions.Parse(ast.AST, nil)
	if err != nil {
		return nil, errdefs.Invalid("%w", err)
	}
	target := len(stages) - 1
	if o.Target != "" {
		var found bool
		if target, found = instructions.HasStage(stages, o.Target); !found {
			return nil, errdefs.Invalid("target stage %q could not be found", o.Target)
		}
		stages = stages[:target+1]
	}
	for _, k := range slices.Sorted(maps.Keys(o.Labels)) {
		stages[target].AddCommand(instructions.NewLabelCommand(k, o.Labels[k], true))
	}
	p := &Plan{}
	for i := range args {
		p.Steps = append(p.Steps, Step{Text: args[i].String(), keyword: "ARG", stage: -1, layer: -1, needed: true})
	}
	names := newNames(ast.EscapeToken, args, o)
	needed := reachable(stages, target, names)
	for i := range stages {
		p.addStage(i, stages, names, needed[i])
	}
	p.Unused = unused(args, stages, o.Args)
	p.Empty = len(stages[target].Commands) == 0 && names.word(stages[target].BaseName) == scratch
	return p, nil
}

// addStage adds the steps of a stage.
func (p *Plan) addStage(i int, stages []instructions.Stage, names *names, needed bool) {
	st := &stages[i]
	p.stages = append(p.stages, st.Name)
	p.layers = append(p.layers, nil)
	from := Step{Text: st.SourceCode, keyword: "FROM", stage: i, layer: -1, needed: needed, nothing: names.word(st.BaseName) == scratch}
	if base := names.base(stages, i); base != "" {
		from.Base, from.layer = base, 0
		if needed {
			p.addBase(Base{Name: base, Platform: names.word(st.Platform)})
		}
	}
	p.addStep(from)
	shell := []string{"/bin/sh", "-c"}
	for _, c := range st.Commands {
		s := Step{Text: fmt.Sprint(c), keyword: strings.ToUpper(c.Name()), stage: i, layer: -1, needed: needed}
		switch c := c.(type) {
		case *instructions.ShellCommand:
			shell = c.Shell
		case *instructions.RunCommand:
			s.layer = len(p.layers[i])
			s.Command = strings.Join(c.CmdLine, " ")
			if c.PrependShell {
				s.Command = strings.Join(shell, " ") + " " + s.Command
			}
			for _, m := range instructions.GetMounts(c) {
				p.copiesFrom(m.From, stages, i, names, needed)
			}
		case *instructions.CopyCommand:
			s.layer = len(p.layers[i])
			p.copiesFrom(c.From, stages, i, names, needed)
		case *instructions.AddCommand, *instructions.WorkdirCommand:
			s.layer = len(p.layers[i])
		}
		p.addStep(s)
	}
}

func (p *Plan) addStep(s Step) {
	if s.layer >= 0 {
		p.layers[s.stage] = append(p.layers[s.stage], len(p.Steps))
	}
	p.Steps = append(p.Steps, s)
}

// copiesFrom notes the image that an instruction takes files from.
func (p *Plan) copiesFrom(from string, stages []instructions.Stage, at int, names *names, needed bool) {
	if from == "" || !needed {
		return
	}
	if _, ok := stageOf(stages[:at], from); !ok {
		p.addBase(Base{Name: names.word(from)})
	}
}

func (p *Plan) addBase(b Base) {
	if b.Name != "" && !slices.Contains(p.Bases, b) {
		p.Bases = append(p.Bases, b)
	}
}

// unused are the arguments that were given and that nobody declares.
func unused(meta []instructions.ArgCommand, stages []instructions.Stage, given map[string]*string) []string {
	declared := map[string]bool{}
	note := func(c *instructions.ArgCommand) {
		for _, a := range c.Args {
			declared[a.Key] = true
		}
	}
	for i := range meta {
		note(&meta[i])
	}
	for i := range stages {
		for _, c := range stages[i].Commands {
			if a, ok := c.(*instructions.ArgCommand); ok {
				note(a)
			}
		}
	}
	var out []string
	for k := range given {
		if !declared[k] && !predefined[strings.ToUpper(k)] && !strings.HasPrefix(k, "BUILDKIT_") {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// predefined are the arguments that need no declaration.
var predefined = map[string]bool{
	"HTTP_PROXY": true, "HTTPS_PROXY": true, "FTP_PROXY": true, "NO_PROXY": true, "ALL_PROXY": true, "SOURCE_DATE_EPOCH": true,
}
