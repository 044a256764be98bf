package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	cerrdefs "github.com/containerd/errdefs"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
)

// report prints an error, and is the only place that does: a line for what failed, with the object's name, and a line
// for what to do where something is known.
func report(ctx context.Context, s *session.Session, err error) {
	if err == nil {
		return
	}
	hints := map[string]bool{}
	for _, e := range parts(err) {
		var exit *session.ExitError
		if errors.As(e, &exit) && exit.Err == nil {
			continue
		}
		_, _ = fmt.Fprintf(s.Err, "berth: %s\n", message(e))
		if h := hint(ctx, s, e); h != "" && !hints[h] {
			hints[h] = true
			_, _ = fmt.Fprintln(s.Err, h)
		}
	}
}

// parts takes joined errors apart: one line each.
func parts(err error) []error {
	var exit *session.ExitError
	if errors.As(err, &exit) {
		return []error{err}
	}
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		var out []error
		for _, e := range j.Unwrap() {
			out = append(out, parts(e)...)
		}
		return out
	}
	return []error{err}
}

// enginePrefix is what the API's client puts before the engine's own words.
const enginePrefix = "Error response from daemon: "

// message is an error on one line.
func message(err error) string {
	m := strings.TrimSpace(strings.ReplaceAll(err.Error(), enginePrefix, ""))
	return strings.Join(strings.Fields(strings.ReplaceAll(m, "\n", " ")), " ")
}

// hint is one line on what to do: the error's own, or what is known for its kind.
func hint(ctx context.Context, s *session.Session, err error) string {
	if h := errdefs.HintOf(err); h != "" {
		return h
	}
	m := message(err)
	switch {
	case strings.Contains(m, "No such container"):
		return "Run 'berth ps -a' to see all containers."
	case isImageError(m):
		return imageHint(ctx, s, m)
	case cerrdefs.IsNotFound(err) && strings.Contains(m, "network"):
		return "Run 'berth network ls' to see the networks."
	case cerrdefs.IsNotFound(err) && strings.Contains(m, "volume"):
		return "Run 'berth volume ls' to see the volumes."
	}
	var exit *session.ExitError
	if errors.As(err, &exit) && exit.Help != "" {
		return fmt.Sprintf("Run '%s --help' for more information", exit.Help)
	}
	return ""
}
