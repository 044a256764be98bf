//go:build linux

package image

import (
	"context"
	"strconv"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/image"
)

// ImagePrune removes dangling images, or with dangling=false all that no container uses, and what broken pulls left.
// Filters: dangling, until, label, label!. It returns when the space is free.
func (s *Service) ImagePrune(ctx context.Context, filters map[string]map[string]bool) (image.PruneReport, error) {
	report := image.PruneReport{}
	danglingOnly, rest, err := pruneFilters(filters)
	if err != nil {
		return report, err
	}
	if !s.pruning.CompareAndSwap(false, true) {
		return report, errdefs.Conflict("a prune operation is already running")
	}
	defer s.pruning.Store(false)
	ctx = s.ctx(ctx)
	keep, err := s.filter(ctx, rest)
	if err != nil {
		return report, err
	}
	all, err := s.groups(ctx)
	if err != nil {
		return report, err
	}
	before, err := s.diskUse(ctx)
	if err != nil {
		return report, err
	}
	for _, g := range all {
		if danglingOnly && len(g.names) > 0 {
			continue
		}
		if _, ok := keep(g); !ok {
			continue
		}
		deleted, err := s.pruneOne(ctx, g)
		if err != nil {
			return report, err
		}
		report.ImagesDeleted = append(report.ImagesDeleted, deleted...)
	}
	if _, err := s.dropLeases(ctx, time.Now()); err != nil {
		return report, err
	}
	if err := s.Collect(ctx); err != nil {
		return report, err
	}
	after, err := s.diskUse(ctx)
	if err == nil && before > after {
		report.SpaceReclaimed = uint64(before - after)
	}
	return report, err
}

// pruneOne removes an image unless a container uses it, by the time when its names are locked.
func (s *Service) pruneOne(ctx context.Context, g *group) ([]image.DeleteResponse, error) {
	unlock, err := s.locks.lock(ctx, "names")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if len(s.usersOf(g.id())) > 0 {
		return nil, nil
	}
	names, err := s.namesOf(ctx, g.target.Target)
	if err != nil {
		return nil, err
	}
	defer s.resolved.drop()
	return s.removeAll(ctx, names)
}

// pruneFilters takes "dangling" out of the filters; others than prune's are refused.
func pruneFilters(f map[string]map[string]bool) (danglingOnly bool, rest map[string]map[string]bool, err error) {
	danglingOnly = true
	rest = map[string]map[string]bool{}
	for key, values := range f {
		switch key {
		case "dangling":
			for v := range values {
				if danglingOnly, err = strconv.ParseBool(v); err != nil {
					return false, nil, errdefs.Invalid("invalid filter 'dangling=[%s]'", v)
				}
			}
		case "until", "label", "label!":
			rest[key] = values
		default:
			return false, nil, errdefs.Invalid("invalid filter '%s'", key)
		}
	}
	return danglingOnly, rest, nil
}
