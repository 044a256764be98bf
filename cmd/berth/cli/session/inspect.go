package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"text/template"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/docker/cli/templates"
)

// Inspect prints what the engine knows of objects: a JSON array, or what a template makes of each.
func (s *Session) Inspect(names []string, format string, get func(name string) (json.RawMessage, error)) error {
	var tmpl *template.Template
	if format != "" && format != "json" {
		var err error
		if tmpl, err = templates.Parse(format); err != nil {
			return errdefs.Invalid("template parsing error: %w", err)
		}
	}
	var errs []error
	found := []json.RawMessage{}
	for _, n := range names {
		raw, err := get(n)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		found = append(found, raw)
	}
	switch {
	case tmpl != nil:
		for _, raw := range found {
			if err := s.execute(tmpl, raw); err != nil {
				errs = append(errs, err)
			}
		}
	case format == "json":
		for _, raw := range found {
			var b bytes.Buffer
			json.Compact(&b, raw)
			fmt.Fprintln(s.Out, b.String())
		}
	default:
		b, err := json.MarshalIndent(found, "", "    ")
		if err != nil {
			return err
		}
		fmt.Fprintln(s.Out, string(b))
	}
	return errors.Join(errs...)
}

func (s *Session) execute(tmpl *template.Template, raw json.RawMessage) error {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := tmpl.Option("missingkey=error").Execute(&b, v); err != nil {
		return errdefs.Invalid("template parsing error: %w", err)
	}
	fmt.Fprintln(s.Out, b.String())
	return nil
}

// Confirm asks a person before something is removed; without a terminal the answer is what comes on standard input.
func (s *Session) Confirm(question string) bool {
	fmt.Fprintf(s.Out, "%s [y/N] ", question)
	var answer string
	fmt.Fscanln(s.In, &answer)
	return answer == "y" || answer == "Y" || answer == "yes"
}
