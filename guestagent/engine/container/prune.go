//go:build linux

package container

import (
	"context"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
)

// ContainerPrune removes every container that does not run. Filters: until, label.
func (s *Service) ContainerPrune(ctx context.Context, filters map[string]map[string]bool) (container.PruneReport, error) {
	report := container.PruneReport{}
	until, err := untilOf(filters["until"])
	if err != nil {
		return report, err
	}
	for key := range filters {
		if key != "until" && key != "label" && key != "label!" {
			return report, errdefs.Invalid("invalid filter '%s'", key)
		}
	}
	for _, e := range s.entries() {
		r := e.snapshot()
		switch {
		case r.State.running(), r.State.Status == container.StateRestarting:
			continue
		case !until.IsZero() && !r.Created.Before(until):
			continue
		case !labelled(r.Config.Labels, filters["label"]) || len(filters["label!"]) > 0 && labelled(r.Config.Labels, filters["label!"]):
			continue
		}
		rw, _, _ := s.Images.Usage(ctx, r.ID, s.Layout.Container(r.ID))
		if err := s.ContainerRemove(ctx, r.ID, false, true, false); err != nil {
			if ctx.Err() != nil {
				return report, ctx.Err()
			}
			continue // it was started or removed meanwhile
		}
		report.ContainersDeleted = append(report.ContainersDeleted, r.ID)
		report.SpaceReclaimed += uint64(max(rw, 0))
	}
	return report, nil
}

// untilOf reads the filter "until": at most one value, already a time in the API's form.
func untilOf(values map[string]bool) (time.Time, error) {
	if len(values) > 1 {
		return time.Time{}, errdefs.Invalid("more than one until filter specified")
	}
	for v := range values {
		return parseTime(v)
	}
	return time.Time{}, nil
}
