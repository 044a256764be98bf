package contexts

import (
	"fmt"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/endpoint"
	"github.com/docker/cli/cli/command/formatter"
	"github.com/spf13/cobra"
)

const tableFormat = "table {{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}"

func newList(s *session.Session) *cobra.Command {
	var quiet bool
	var format string
	c := &cobra.Command{Use: "ls [OPTIONS]", Aliases: []string{"list"}, Short: "List contexts", Args: cobra.NoArgs}
	c.RunE = func(*cobra.Command, []string) error {
		rows, err := rows(s)
		if err != nil {
			return err
		}
		if quiet {
			for _, r := range rows {
				fmt.Fprintln(s.Out, r.ctx.Name)
			}
			return nil
		}
		if format == "" || format == formatter.TableFormatKey {
			format = tableFormat
		}
		ctx := formatter.Context{Output: s.Out, Format: formatter.Format(format)}
		head := &row{}
		head.Header = formatter.SubHeaderContext{"Name": "NAME", "Description": "DESCRIPTION", "DockerEndpoint": "DOCKER ENDPOINT", "Error": "ERROR"}
		return ctx.Write(head, func(print func(formatter.SubContext) error) error {
			for _, r := range rows {
				if err := print(r); err != nil {
					return err
				}
			}
			return nil
		})
	}
	f := c.Flags()
	f.BoolVarP(&quiet, "quiet", "q", false, "Only show context names")
	f.StringVar(&format, "format", "", "Format output using a custom template, table or json")
	return c
}

// row is one context as templates see it.
type row struct {
	formatter.HeaderContext
	ctx     endpoint.Context
	current bool
	err     error
}

// rows are the default context and all others, by name. One that cannot be used is shown with the reason.
func rows(s *session.Session) ([]*row, error) {
	all, err := store(s).List()
	if err != nil {
		return nil, err
	}
	name, nameErr := current(s)
	own, ownErr := get(s, endpoint.DefaultContext)
	out := []*row{{ctx: own, current: nameErr == nil && name == endpoint.DefaultContext, err: ownErr}}
	for _, c := range all {
		_, hostErr := endpoint.ParseHost(c.Host)
		out = append(out, &row{ctx: c, current: nameErr == nil && name == c.Name, err: hostErr})
	}
	return out, nil
}

// MarshalJSON serves --format json.
func (r *row) MarshalJSON() ([]byte, error) { return formatter.MarshalJSON(r) }

// Name and the others are what templates may ask for.
func (r *row) Name() string { return r.ctx.Name }

// Current tells whether it is in use.
func (r *row) Current() bool { return r.current }

// Description is what its maker wrote.
func (r *row) Description() string { return r.ctx.Description }

// DockerEndpoint is the engine's address.
func (r *row) DockerEndpoint() string { return r.ctx.Host }

// Error says why it cannot be used.
func (r *row) Error() string {
	if r.err == nil {
		return ""
	}
	return r.err.Error()
}
