package image

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/docker/cli/cli/command/formatter"
	"github.com/docker/cli/opts"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

const searchTable = "table {{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}"

func newSearch(s *session.Session) *cobra.Command {
	var noTrunc bool
	var format string
	o := client.ImageSearchOptions{}
	filter := opts.NewFilterOpt()
	c := &cobra.Command{Use: "search [OPTIONS] TERM", Short: "Search Docker Hub for images", Args: cobra.ExactArgs(1)}
	c.RunE = func(c *cobra.Command, args []string) error {
		if c.Flags().Changed("limit") && o.Limit <= 0 {
			return errdefs.Invalid("limit %d is outside the range of [1, 100]", o.Limit)
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		o.Filters = filter.Value()
		if _, ok := o.Filters["is-automated"]; ok {
			fmt.Fprintln(s.Err, `WARNING: the "is-automated" filter is deprecated, and searching for "is-automated=true" will not yield any results in future.`)
		}
		if o.RegistryAuth, err = auth(s.Credentials(), searched(args[0])); err != nil {
			return err
		}
		r, err := cl.ImageSearch(c.Context(), args[0], o)
		if err != nil {
			return err
		}
		if format == "" || format == formatter.TableFormatKey {
			format = searchTable
		}
		return writeSearch(formatter.Context{Output: s.Out, Format: formatter.Format(format), Trunc: !noTrunc}, r.Items)
	}
	f := c.Flags()
	f.BoolVar(&noTrunc, "no-trunc", false, "Don't truncate output")
	f.VarP(&filter, "filter", "f", "Filter output based on conditions provided")
	f.IntVar(&o.Limit, "limit", 0, "Max number of search results")
	f.StringVar(&format, "format", "", "Pretty-print search using a Go template")
	return c
}

// searched is a reference in the registry where a term is looked for; what is searched for need not be the name of an
// image.
func searched(term string) string {
	first, _, ok := strings.Cut(term, "/")
	if !ok || !strings.ContainsAny(first, ".:") && first != "localhost" {
		return "docker.io/library/x"
	}
	return first + "/x"
}

func writeSearch(ctx formatter.Context, list []registry.SearchResult) error {
	head := &found{}
	head.Header = formatter.SubHeaderContext{
		"Name": formatter.NameHeader, "Description": formatter.DescriptionHeader, "StarCount": "STARS", "IsOfficial": "OFFICIAL",
	}
	return ctx.Write(head, func(row func(formatter.SubContext) error) error {
		for _, r := range list {
			if err := row(&found{of: r, trunc: ctx.Trunc}); err != nil {
				return err
			}
		}
		return nil
	})
}

// found is a line of the table.
type found struct {
	formatter.HeaderContext
	of          registry.SearchResult
	trunc, json bool
}

// MarshalJSON is for --format json, which spells truth out.
func (f *found) MarshalJSON() ([]byte, error) {
	f.json = true
	return formatter.MarshalJSON(f)
}

// Name is a field for templates, as the other methods are.
func (f *found) Name() string { return f.of.Name }

func (f *found) Description() string {
	text := strings.NewReplacer("\n", " ", "\r", " ").Replace(f.of.Description)
	if f.trunc {
		return formatter.Ellipsis(text, 45)
	}
	return text
}

func (f *found) StarCount() string { return strconv.Itoa(f.of.StarCount) }

func (f *found) IsOfficial() string {
	switch {
	case f.json:
		return strconv.FormatBool(f.of.IsOfficial)
	case f.of.IsOfficial:
		return "[OK]"
	}
	return ""
}
