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

// notRun is how BuildKit says that a command was not even started.
var notRun = regexp.MustCompile(`^process ".*" did not complete successfully: (.*)$`)

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
	if errors.As(err, &exit) && p.command(step, err) != "" {
		var no interface{ NotStarted() string }
		if errors.As(exit.Err, &no) {
			return &jsonstream.Error{Message: "failed to create task for container: " + no.NotStarted()}
		}
		return &jsonstream.Error{
			Code:    int(exit.ExitCode),
			Message: fmt.Sprintf("The command '%s' returned a non-zero code: %d", p.command(step, err), exit.ExitCode),
		}
	}
	text := err.Error()
	if m := missing.FindStringSubmatch(text); m != nil {
		return &jsonstream.Error{Message: copyFailure(p.blame(m[1]), m[1])}
	}
	if m := notRun.FindStringSubmatch(text); m != nil {
		return &jsonstream.Error{Message: m[1]}
	}
	if why, ok := strings.CutPrefix(text, "failed to load cache key: "); ok && step >= 0 && p.plan.Steps[step].keyword == "ADD" {
		return &jsonstream.Error{Message: "ADD failed: " + why}
	}
	return err
}

// ran finds the command in an error of BuildKit.
var ran = regexp.MustCompile(`process "(.*)" did not complete successfully`)

// command is what has failed: the step's command, or one that a base image wants executed.
func (p *Printer) command(step int, err error) string {
	if step >= 0 && p.plan.Steps[step].Command != "" {
		return p.plan.Steps[step].Command
	}
	if m := ran.FindStringSubmatch(err.Error()); m != nil {
		return m[1]
	}
	return ""
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

// blame is the text of the step that copies a file which is not there.
func (p *Printer) blame(name string) string {
	first := ""
	for _, s := range p.plan.Steps {
		switch {
		case s.keyword != "COPY" && s.keyword != "ADD":
		case strings.Contains(s.Text, name):
			return s.Text
		case first == "":
			first = s.Text
		}
	}
	return first
}

// copyFailure is what the classic builder says of a file that cannot be copied.
func copyFailure(text, name string) string {
	verb, from, outside := "COPY", false, ""
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
			verb = strings.ToUpper(word)
		case strings.HasPrefix(word, "--from="):
			from = true
		case strings.HasPrefix(word, "../") && strings.HasSuffix(word, name):
			outside = word
		}
	}
	switch {
	case from:
		return fmt.Sprintf("%s failed: stat %s: file does not exist", verb, name)
	case outside != "":
		return fmt.Sprintf("%s failed: forbidden path outside the build context: %s ()", verb, outside)
	}
	return fmt.Sprintf("%s failed: file not found in build context or excluded by .dockerignore: stat %s: file does not exist", verb, name)
}
