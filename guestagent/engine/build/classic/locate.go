package classic

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// vertexName is how BuildKit calls what it does for an instruction: "[stage 2/5] RUN make", with the platform before
// the stage where it is not this machine's, and no stage where there is but one.
var vertexName = regexp.MustCompile(`^\[([^\]]*?)\s*(\d+)/(\d+)\] (ONBUILD )?(?:LINK )?([A-Za-z]+)`)

// locate finds the step of a vertex by its name.
func (p *Plan) locate(name string) (step int, ok bool) {
	m := vertexName.FindStringSubmatch(name)
	if m == nil {
		return 0, false
	}
	stage, ok := p.stageNamed(m[1])
	if !ok {
		return 0, false
	}
	if m[4] != "" { // what a base image wants done belongs to the step that names it
		return slices.IndexFunc(p.Steps, func(s Step) bool { return s.stage == stage }), true
	}
	index, err := strconv.Atoi(m[2])
	if err != nil {
		return 0, false
	}
	total, err := strconv.Atoi(m[3])
	if err != nil {
		return 0, false
	}
	layers := p.layers[stage]
	at := index - 1
	if at > 0 || m[5] != "FROM" {
		at -= max(total-len(layers), 0) // instructions of the base image come between
	}
	// Those that change nothing, such as WORKDIR /, have no vertex: it is a later one.
	for at = max(at, 0); at < len(layers); at++ {
		if p.Steps[layers[at]].keyword == strings.ToUpper(m[5]) {
			return layers[at], true
		}
	}
	return 0, false
}

// stageNamed finds a stage by what stands before the numbers of a vertex.
func (p *Plan) stageNamed(prefix string) (int, bool) {
	name := prefix
	if words := strings.Fields(prefix); len(words) > 0 {
		name = words[len(words)-1]
	}
	if name == "" || strings.ContainsAny(name, "/>") {
		return 0, len(p.stages) == 1
	}
	for i := len(p.stages) - 1; i >= 0; i-- {
		if p.stages[i] == name {
			return i, true
		}
	}
	if n, ok := strings.CutPrefix(name, "stage-"); ok {
		if i, err := strconv.Atoi(n); err == nil && i < len(p.stages) {
			return i, true
		}
	}
	return 0, false
}
