package classic

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	gatewayapi "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/moby/api/types/jsonstream"
)

// missing is how BuildKit says that a file to be copied is not there.
var missing = regexp.MustCompile(`failed to calculate checksum of ref [^:]+::[^:]+: "?/?([^":]*)"?: not found`)

// Failure ends the account of a build that failed, and words its error as the classic builder does. The error is a
// *jsonstream.Error with its exit code where a command failed.
func (p *Printer) Failure(err error) error {
	step := -1
	for i := range p.steps {
		for _, v := range p.steps[i].vertices {
			if v.failed && step < 0 {
				step = i
			}
		}
	}
	p.over = true
	p.upTo(step)
	var exit *gatewayapi.ExitError
	if step >= 0 && errors.As(err, &exit) && p.plan.Steps[step].Command != "" {
		return &jsonstream.Error{
			Code:    int(exit.ExitCode),
			Message: fmt.Sprintf("The command '%s' returned a non-zero code: %d", p.plan.Steps[step].Command, exit.ExitCode),
		}
	}
	if m := missing.FindStringSubmatch(err.Error()); m != nil {
		return &jsonstream.Error{Message: copyFailure(p.blame(step), m[1])}
	}
	return err
}

// upTo tells of the steps until the one that failed, and of what that said.
func (p *Printer) upTo(failed int) {
	for p.current < len(p.steps) && p.current <= failed && p.err == nil {
		p.announce(p.current)
		if !p.done(p.current) || p.current == failed {
			return
		}
		p.arrow(p.current)
		p.current++
	}
}

// blame is the text of the step that failed, of the first that copies where none is known.
func (p *Printer) blame(step int) string {
	if step >= 0 {
		return p.plan.Steps[step].Text
	}
	for _, s := range p.plan.Steps {
		if s.keyword == "COPY" || s.keyword == "ADD" {
			return s.Text
		}
	}
	return "COPY"
}

func copyFailure(text, name string) string {
	verb, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	if strings.Contains(text, "--from=") {
		return fmt.Sprintf("%s failed: stat %s: file does not exist", strings.ToUpper(verb), name)
	}
	return fmt.Sprintf("%s failed: file not found in build context or excluded by .dockerignore: stat %s: file does not exist", strings.ToUpper(verb), name)
}
