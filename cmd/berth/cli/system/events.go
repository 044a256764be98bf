package system

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/docker/cli/opts"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newEvents(s *session.Session) *cobra.Command {
	var since, until, format string
	filter := opts.NewFilterOpt()
	c := &cobra.Command{Use: "events [OPTIONS]", Short: "Get real time events from the server", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r := cl.Events(c.Context(), client.EventsListOptions{Since: since, Until: until, Filters: filter.Value()})
		for {
			select {
			case m := <-r.Messages:
				if err := printEvent(s, format, &m); err != nil {
					return err
				}
			case err := <-r.Err:
				if errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) {
					return nil
				}
				return err
			}
		}
	}
	f := c.Flags()
	f.StringVar(&since, "since", "", "Show all events created since timestamp")
	f.StringVar(&until, "until", "", "Stream events until this timestamp")
	f.StringVar(&format, "format", "", "Format output using a custom template, or json")
	f.VarP(&filter, "filter", "f", "Filter output based on conditions provided")
	return c
}

func printEvent(s *session.Session, format string, m *events.Message) error {
	if format != "" {
		return printAs(s, format, m)
	}
	var attrs []string
	for k, v := range m.Actor.Attributes {
		attrs = append(attrs, k+"="+v)
	}
	slices.Sort(attrs)
	at := time.Unix(0, m.TimeNano).Format("2006-01-02T15:04:05.000000000Z07:00")
	line := fmt.Sprintf("%s %s %s %s", at, m.Type, m.Action, m.Actor.ID)
	if len(attrs) > 0 {
		line += " (" + strings.Join(attrs, ", ") + ")"
	}
	_, err := fmt.Fprintln(s.Out, line)
	return err
}
