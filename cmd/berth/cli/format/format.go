// Package format prints what verbs list and inspect: docker's tables, Go templates and JSON. It knows no verb and
// does not talk to an engine.
package format

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/docker/cli/cli/command/formatter"
	"github.com/docker/cli/templates"
)

// Help is the description of every --format flag of a list.
const Help = `Format output using a custom template:
'table':            Print output in table format with column headers (default)
'table TEMPLATE':   Print output in table format using the given Go template
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template`

// InspectHelp is that of an inspection.
const InspectHelp = `Format output using a custom template:
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template`

// Choose takes the flag's format, else the configuration file's, else the table. With -q the file's does not count.
func Choose(flag, configured string, quiet bool) string {
	switch {
	case flag != "":
		return flag
	case configured != "" && !quiet:
		return configured
	}
	return formatter.TableFormatKey
}

// Lookup finds one object: its raw JSON as the engine sent it, and its typed form for templates.
type Lookup func(ctx context.Context, name string) (typed any, raw []byte, err error)

// Inspect prints the objects of the names, in docker's ways: an indented array, json, or a template for each. Objects
// that are found are printed even where others are not; the errors are joined.
func Inspect(ctx context.Context, out io.Writer, names []string, format string, get Lookup) error {
	p, err := newPrinter(format)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		typed, raw, err := get(ctx, name)
		if err == nil {
			err = p.add(typed, raw)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	errs = append(errs, p.flush(out))
	return errors.Join(errs...)
}

// printer gathers what Inspect prints.
type printer struct {
	add   func(typed any, raw []byte) error
	flush func(io.Writer) error
}

func newPrinter(format string) (*printer, error) {
	var b bytes.Buffer
	write := func(w io.Writer) error {
		_, err := w.Write(b.Bytes())
		return err
	}
	switch format {
	case "":
		return arrayPrinter(), nil
	case formatter.JSONFormatKey:
		return &printer{add: func(_ any, raw []byte) error {
			if err := json.Compact(&b, raw); err != nil {
				return err
			}
			return b.WriteByte('\n')
		}, flush: write}, nil
	}
	tmpl, err := templates.Parse(format)
	if err != nil {
		return nil, fmt.Errorf("template parsing error: %w", err)
	}
	return &printer{add: func(typed any, raw []byte) error {
		var one bytes.Buffer
		if err := tmpl.Execute(&one, typed); err != nil {
			// A field that only the JSON has, by the JSON's name.
			var m any
			dec := json.NewDecoder(bytes.NewReader(raw))
			dec.UseNumber()
			one.Reset()
			if dec.Decode(&m) != nil || tmpl.Option("missingkey=error").Execute(&one, m) != nil {
				return fmt.Errorf("template parsing error: %w", err)
			}
		}
		b.Write(one.Bytes())
		return b.WriteByte('\n')
	}, flush: write}, nil
}

func arrayPrinter() *printer {
	list := []json.RawMessage{}
	return &printer{
		add: func(_ any, raw []byte) error { list = append(list, raw); return nil },
		flush: func(w io.Writer) error {
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			enc.SetIndent("", "    ")
			if err := enc.Encode(list); err != nil {
				return err
			}
			_, err := w.Write(b.Bytes())
			return err
		},
	}
}

// Template prints one object with a template; "json" is the object as JSON.
func Template(out io.Writer, format string, v any) error {
	if format == formatter.JSONFormatKey {
		format = formatter.JSONFormat
	}
	tmpl, err := templates.Parse(format)
	if err != nil {
		return fmt.Errorf("template parsing error: %w", err)
	}
	var b bytes.Buffer
	if err := tmpl.Execute(&b, v); err != nil {
		return fmt.Errorf("template parsing error: %w", err)
	}
	_, err = fmt.Fprintln(out, b.String())
	return err
}

// Confirm asks a yes-or-no question; anything but y or yes is no.
func Confirm(in io.Reader, out io.Writer, question string) (bool, error) {
	if _, err := fmt.Fprintf(out, "%s [y/N] ", question); err != nil {
		return false, err
	}
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && line == "" {
		_, _ = fmt.Fprintln(out)
		return false, nil
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}
