//go:build linux

package build

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	controlapi "github.com/moby/buildkit/api/services/control"
	"github.com/moby/moby/api/types/build"
)

// PruneOptions say what of the cache is to go; sizes in bytes, 0 is no bound.
type PruneOptions struct {
	All                                       bool
	Filters                                   map[string]map[string]bool
	ReservedSpace, MaxUsedSpace, MinFreeSpace int64
}

// Prune removes what of the build cache is not in use. Errors: Invalid for filters.
func (b *Builder) Prune(ctx context.Context, o PruneOptions) (build.CachePruneReport, error) {
	report := build.CachePruneReport{}
	filter, age, err := pruneFilter(o.Filters, time.Now())
	if err != nil {
		return report, err
	}
	k, done, err := b.open(ctx)
	if err != nil {
		return report, err
	}
	defer done()
	total := int64(0)
	err = k.controller.Prune(&controlapi.PruneRequest{
		All: o.All, Filter: []string{filter}, KeepDuration: int64(age),
		ReservedSpace: o.ReservedSpace, MaxUsedSpace: o.MaxUsedSpace, MinFreeSpace: o.MinFreeSpace,
	}, &stream[*controlapi.UsageRecord]{ctx: ctx, each: func(r *controlapi.UsageRecord) error {
		total += r.Size
		report.CachesDeleted = append(report.CachesDeleted, r.ID)
		return nil
	}})
	if err != nil {
		return report, errdefs.System("failed to prune build cache: %w", err)
	}
	b.past.Forget()
	report.SpaceReclaimed = uint64(max(total, 0))
	b.o.Bus.Publish("builder", "prune", "", map[string]string{"reclaimed": strconv.FormatInt(total, 10)})
	return report, nil
}

// pruneFilter turns docker's filters into BuildKit's, and the age from which on something may go.
func pruneFilter(f map[string]map[string]bool, now time.Time) (filter string, age time.Duration, err error) {
	var parts []string
	for key, set := range f {
		values := keys(set)
		if key == "until" || key == "unused-for" {
			continue
		}
		switch {
		case len(values) > 1:
			return "", 0, errdefs.Invalid("filters expect only one value")
		case len(values) == 0:
			parts = append(parts, key)
		case key == "id":
			parts = append(parts, key+"~="+values[0])
		default:
			parts = append(parts, key+"=="+values[0])
		}
	}
	slices.Sort(parts)
	until, unused := keys(f["until"]), keys(f["unused-for"])
	switch {
	case len(until) > 0 && len(unused) > 0:
		return "", 0, errdefs.Invalid("conflicting filters: until and unused-for")
	case len(until)+len(unused) > 1:
		return "", 0, errdefs.Invalid("filters expect only one value")
	case len(until) == 1:
		age, err = ageOf("until", until[0], now)
	case len(unused) == 1:
		age, err = ageOf("unused-for", unused[0], now)
	}
	return strings.Join(parts, ","), age, err
}

func keys(set map[string]bool) []string {
	var out []string
	for k := range set {
		out = append(out, k)
	}
	return out
}

// ageOf reads a duration, or the age of a time: RFC 3339, a date, or seconds since 1970.
func ageOf(key, text string, now time.Time) (time.Duration, error) {
	if d, err := time.ParseDuration(text); err == nil {
		return d, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return now.Sub(t), nil
		}
	}
	if s, err := strconv.ParseFloat(text, 64); err == nil {
		return now.Sub(time.Unix(0, int64(s*float64(time.Second)))), nil
	}
	return 0, errdefs.Invalid("%q filter expects a duration (e.g., '24h') or a timestamp: %q", key, text)
}
