package system

import (
	"encoding/json"
	"fmt"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/docker/cli/templates"
)

// printAs prints a value as JSON or through a template.
func printAs(s *session.Session, format string, v any) error {
	if format == "json" {
		return json.NewEncoder(s.Out).Encode(v)
	}
	t, err := templates.Parse(format)
	if err == nil {
		err = t.Execute(s.Out, v)
	}
	if err != nil {
		return errdefs.Invalid("template parsing error: %w", err)
	}
	fmt.Fprintln(s.Out)
	return nil
}
