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

// Object is what the engine knows of something: as it was sent, and as the API's types have it.
type Object struct {
	Raw   json.RawMessage
	Typed any
}

// Inspect prints objects: a JSON array, or what a template makes of each.
func (s *Session) Inspect(names []string, format string, get func(name string) (Object, error)) error {
	var tmpl *template.Template
	if format != "" && format != "json" {
		var err error
		if tmpl, err = templates.Parse(format); err != nil {
			return errdefs.Invalid("template parsing error: %w", err)
		}
	}
	var errs []error
	found := []Object{}
	for _, n := range names {
		o, err := get(n)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		found = append(found, o)
	}
	switch {
	case tmpl != nil:
		for _, o := range found {
			if err := s.execute(tmpl, o); err != nil {
				errs = append(errs, err)
			}
		}
	case format == "json":
		for _, o := range found {
			var b bytes.Buffer
			if err := json.Compact(&b, o.Raw); err != nil {
				return err
			}
			fmt.Fprintln(s.Out, b.String())
		}
	default:
		if err := s.printArray(found); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

// printArray prints objects as they were sent, only indented: nothing is escaped that was not.
func (s *Session) printArray(found []Object) error {
	var all bytes.Buffer
	all.WriteByte('[')
	for i, o := range found {
		if i > 0 {
			all.WriteByte(',')
		}
		all.Write(o.Raw)
	}
	all.WriteByte(']')
	var b bytes.Buffer
	if err := json.Indent(&b, all.Bytes(), "", "    "); err != nil {
		return err
	}
	_, err := fmt.Fprintln(s.Out, b.String())
	return err
}

// execute uses the fields' names in the API's types; what these do not have may still be in what was sent.
func (s *Session) execute(tmpl *template.Template, o Object) error {
	var b bytes.Buffer
	if err := tmpl.Execute(&b, o.Typed); err != nil {
		var v any
		d := json.NewDecoder(bytes.NewReader(o.Raw))
		d.UseNumber()
		if derr := d.Decode(&v); derr != nil {
			return derr
		}
		b.Reset()
		if err := tmpl.Option("missingkey=error").Execute(&b, v); err != nil {
			return errdefs.Invalid("template parsing error: %w", err)
		}
	}
	_, err := fmt.Fprintln(s.Out, b.String())
	return err
}

// Confirm asks a person before something is removed; without a terminal the answer is what comes on standard input.
func (s *Session) Confirm(question string) bool {
	fmt.Fprintf(s.Out, "%s [y/N] ", question)
	var answer string
	fmt.Fscanln(s.In, &answer)
	return answer == "y" || answer == "Y" || answer == "yes"
}
