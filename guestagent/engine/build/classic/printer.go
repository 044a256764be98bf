package classic

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	controlapi "github.com/moby/buildkit/api/services/control"
)

// shortLength is how many digits of an ID are shown.
const shortLength = 12

// Printer tells of a build in the order of its steps. It is for one goroutine.
type Printer struct {
	plan *Plan
	w    io.Writer
	keep bool // intermediate containers would be kept: they are not said to be removed
	past *Memory

	steps    []progress
	vertices map[string]int // digest -> step
	seen     map[string]bool
	current  int
	chain    string // stands for the steps of the current stage so far
	fresh    bool   // a step of the current stage was not cached, so those after it are not
	over     bool   // no more progress comes
	err      error
}

// progress is how one step stands.
type progress struct {
	announced, running, cached, begun bool
	vertices                          map[string]state
	said                              []line
	id                                string // of what the step made, as far as it is told
	triggers, layers                  int    // of a FROM: what its image wants done, and how much of that makes layers
}

// state is how one vertex of a step stands.
type state struct{ started, completed, cached, failed bool }

// line is output that waits for its step's turn.
type line struct {
	text   string
	stderr bool
}

// NewPrinter tells of a build on w as newline-separated jsonstream messages. Past says what builds before have made;
// nil where nothing of that counts.
func NewPrinter(p *Plan, keepContainers bool, past *Memory, w io.Writer) *Printer {
	return &Printer{plan: p, w: w, keep: keepContainers, past: past, steps: make([]progress, len(p.Steps)), vertices: map[string]int{}, seen: map[string]bool{}}
}

// Announce prints the head of the next step that has not begun, if any: before the images that it needs are pulled.
func (p *Printer) Announce() error {
	for ; p.current < len(p.steps) && p.plan.Steps[p.current].Base == ""; p.current++ {
		p.announce(p.current)
		if p.plan.Steps[p.current].layer >= 0 {
			return p.err
		}
		p.arrow(p.current)
	}
	p.announce(p.current)
	return p.err
}

// Base notes the ID of an image that steps stand on, and the instructions that it wants executed.
func (p *Printer) Base(name, id string, triggers []string) {
	layers := 0
	for _, t := range triggers {
		switch verb, _, _ := strings.Cut(strings.TrimSpace(t), " "); strings.ToUpper(verb) {
		case "RUN", "COPY", "ADD", "WORKDIR":
			layers++
		}
	}
	for i := range p.plan.Steps {
		if p.plan.Steps[i].Base == name {
			p.steps[i].id, p.steps[i].triggers, p.steps[i].layers = Short(id), len(triggers), layers
		}
	}
}

// Update takes news of the build.
func (p *Printer) Update(r *controlapi.StatusResponse) error {
	for _, v := range r.Vertexes {
		p.vertex(v)
	}
	for _, l := range r.Logs {
		p.log(l)
	}
	p.advance()
	return p.err
}

func (p *Printer) vertex(v *controlapi.Vertex) {
	i, ok := p.vertices[v.Digest]
	if !ok {
		name := v.Name
		if g := v.ProgressGroup; g != nil && g.Name != "" {
			name = g.Name
		}
		if i, ok = p.plan.locate(name); !ok {
			return
		}
		p.vertices[v.Digest] = i
	}
	s := &p.steps[i]
	if s.vertices == nil {
		s.vertices = map[string]state{}
	}
	s.vertices[v.Digest] = state{started: v.Started != nil, completed: v.Completed != nil, cached: v.Cached, failed: v.Error != ""}
	s.begun = s.begun || v.Started != nil || v.Completed != nil
	if s.id == "" || s.layers > 0 {
		s.id = Short(v.Digest)
	}
}

func (p *Printer) log(l *controlapi.VertexLog) {
	if i, ok := p.vertices[l.Vertex]; ok {
		p.steps[i].said = append(p.steps[i].said, line{string(l.Msg), l.Stream == stderrStream})
	}
}

// stderrStream is BuildKit's number of a command's standard error.
const stderrStream = 2

// advance tells all that can be told by now.
func (p *Printer) advance() {
	for p.current < len(p.steps) && p.err == nil {
		p.announce(p.current)
		if !p.done(p.current) {
			return
		}
		p.arrow(p.current)
		p.current++
	}
}

func (p *Printer) announce(i int) {
	if i >= len(p.steps) || p.steps[i].announced {
		return
	}
	p.steps[i].announced = true
	p.say(fmt.Sprintf("Step %d/%d : %s\n", i+1, len(p.steps), p.plan.Steps[i].Text))
}

// done tells what a step has said so far, and whether that was all.
func (p *Printer) done(i int) bool {
	s, step := &p.steps[i], &p.plan.Steps[i]
	if step.keyword == "FROM" && step.needed {
		p.pull(s)
		if s.layers == 0 {
			return true
		}
	} else if step.layer < 0 || !step.needed {
		return true
	}
	if len(s.vertices) < max(s.layers, 1) {
		return p.over || p.laterBegun(i)
	}
	all, cached, failed := true, true, false
	for _, v := range s.vertices {
		all, cached, failed = all && v.completed, cached && v.cached, failed || v.failed
		if v.started && !v.cached && step.Command != "" && !s.running {
			s.running = true
			p.say(" ---> Running in " + p.container(i) + "\n")
		}
	}
	for _, l := range s.said {
		if l.stderr {
			l.text = "\x1b[91m" + l.text + "\x1b[0m"
		}
		p.say(l.text)
	}
	s.said = nil
	s.cached = cached
	return (all || p.over) && !failed
}

// pull tells, once, that a base image's instructions are executed.
func (p *Printer) pull(s *progress) {
	switch {
	case s.triggers == 1:
		p.say("# Executing 1 build trigger\n")
	case s.triggers > 1:
		p.say(fmt.Sprintf("# Executing %d build triggers\n", s.triggers))
	}
	s.triggers = 0
}

// laterBegun says whether a step of the same stage after i has begun, so that one without a vertex will never have one.
func (p *Printer) laterBegun(i int) bool {
	for j := i + 1; j < len(p.steps) && p.plan.Steps[j].stage == p.plan.Steps[i].stage; j++ {
		if p.steps[j].begun {
			return true
		}
	}
	return false
}

// arrow tells what became of a step. That of the last is told by Finish: it is the image.
func (p *Printer) arrow(i int) {
	s, step := &p.steps[i], &p.plan.Steps[i]
	if step.Base != "" || step.nothing {
		p.fresh, p.chain = false, s.id
	} else {
		p.chain = digest(p.chain + "\n" + step.Text)
	}
	switch {
	case !step.needed:
		p.say(" ---> Skipped: the target does not need it\n")
		return
	case step.stage < 0:
		return // ARG before the first stage
	case step.keyword == "FROM":
	case p.cached(i):
		p.say(" ---> Using cache\n")
	default:
		p.fresh = true
		p.contained(i)
	}
	if i == len(p.steps)-1 && !p.plan.Empty {
		return
	}
	if s.id == "" && !step.nothing {
		s.id = p.derived(i)
	}
	p.say(" ---> " + s.id + "\n")
}

// contained tells of the container in which a step was made, if the classic builder needs one for it.
func (p *Printer) contained(i int) {
	if !p.plan.Steps[i].contained() {
		return
	}
	if !p.steps[i].running {
		p.say(" ---> Running in " + p.container(i) + "\n")
	}
	if !p.keep {
		p.say(" ---> Removed intermediate container " + p.container(i) + "\n")
	}
}

// cached tells whether a step was made before. Of one that only changes the image's configuration BuildKit does not
// know it: those that are remembered were.
func (p *Printer) cached(i int) bool {
	s, step := &p.steps[i], &p.plan.Steps[i]
	if !step.changesConfig() {
		return s.cached && len(s.vertices) > 0
	}
	return p.past.remember(p.chain) && !p.fresh
}

// container is an ID for the container in which a command runs: it has none that could be asked for.
func (p *Printer) container(i int) string {
	return digest("container " + p.steps[i].id)[:shortLength]
}

// derived is an ID for what a step made that only changes the image's configuration: BuildKit knows none.
func (p *Printer) derived(i int) string {
	before := ""
	if i > 0 {
		before = p.steps[i-1].id
	}
	return digest(before + "\n" + p.plan.Steps[i].Text)[:shortLength]
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// Finish ends the account of a build that made an image; the ID is empty where the result went elsewhere.
func (p *Printer) Finish(id string) error {
	p.over = true
	p.advance()
	if id == "" {
		return p.err
	}
	p.say(" ---> " + Short(id) + "\n")
	if len(p.plan.Unused) > 0 {
		p.say(fmt.Sprintf("[Warning] One or more build-args %v were not consumed\n", p.plan.Unused))
	}
	p.write(map[string]any{"aux": map[string]string{"ID": id}})
	p.say("Successfully built " + Short(id) + "\n")
	return p.err
}

// Tagged tells of a name that the image got.
func (p *Printer) Tagged(name string) error {
	p.say("Successfully tagged " + name + "\n")
	return p.err
}

func (p *Printer) say(text string) { p.write(map[string]string{"stream": text}) }

// write sends one message; nothing more is sent once one could not be.
func (p *Printer) write(v any) {
	if p.err != nil {
		return
	}
	b, err := json.Marshal(v)
	if err == nil {
		_, err = p.w.Write(append(b, '\r', '\n'))
	}
	p.err = err
}

// Short is an ID as it is shown.
func Short(id string) string {
	_, digits, ok := strings.Cut(id, ":")
	if !ok {
		digits = id
	}
	return digits[:min(shortLength, len(digits))]
}
