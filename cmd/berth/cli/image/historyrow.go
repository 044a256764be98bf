package image

import (
	"strconv"
	"strings"
	"time"

	"github.com/docker/cli/cli/command/formatter"
	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/image"
)

// historyFormat is the format of the columns that docker shows.
func historyFormat(source string, quiet, human bool) formatter.Format {
	when := "CreatedSince"
	if !human {
		when = "CreatedAt"
	}
	switch {
	case source != formatter.TableFormatKey:
		return formatter.Format(source)
	case quiet:
		return formatter.DefaultQuietFormat
	}
	return formatter.Format("table {{.ID}}\t{{." + when + "}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}")
}

func writeHistory(ctx formatter.Context, human bool, items []image.HistoryResponseItem) error {
	head := &historyRow{HeaderContext: formatter.HeaderContext{Header: formatter.SubHeaderContext{
		"ID": "IMAGE", "CreatedSince": formatter.CreatedSinceHeader, "CreatedAt": formatter.CreatedAtHeader,
		"CreatedBy": "CREATED BY", "Size": formatter.SizeHeader, "Comment": "COMMENT",
	}}}
	return ctx.Write(head, func(format func(formatter.SubContext) error) error {
		for _, item := range items {
			if err := format(&historyRow{item: item, trunc: ctx.Trunc, human: human}); err != nil {
				return err
			}
		}
		return nil
	})
}

// historyRow has the fields that a template may name.
type historyRow struct {
	formatter.HeaderContext
	item         image.HistoryResponseItem
	trunc, human bool
}

// MarshalJSON gives all fields, for --format json.
func (r *historyRow) MarshalJSON() ([]byte, error) { return formatter.MarshalJSON(r) }

// ID is the layer's image, mostly "<missing>".
func (r *historyRow) ID() string {
	if r.trunc {
		return formatter.TruncateID(r.item.ID)
	}
	return r.item.ID
}

// CreatedAt is the time itself.
func (r *historyRow) CreatedAt() string { return time.Unix(r.item.Created, 0).Format(time.RFC3339) }

// meaningful is the time from which on images were made: what claims to be older has been made reproducible.
var meaningful = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// CreatedSince says how long ago it was.
func (r *historyRow) CreatedSince() string {
	created := time.Unix(r.item.Created, 0)
	switch {
	case !r.human:
		return r.CreatedAt()
	case !created.After(meaningful):
		return "N/A"
	}
	return units.HumanDuration(time.Since(created)) + " ago"
}

// CreatedBy is the instruction.
func (r *historyRow) CreatedBy() string {
	by := strings.ReplaceAll(r.item.CreatedBy, "\t", " ")
	if r.trunc {
		return formatter.Ellipsis(by, 45)
	}
	return by
}

// Size is the layer's.
func (r *historyRow) Size() string {
	if r.human {
		return units.HumanSizeWithPrecision(float64(r.item.Size), 3)
	}
	return strconv.FormatInt(r.item.Size, 10)
}

// Comment is the builder's.
func (r *historyRow) Comment() string { return r.item.Comment }
