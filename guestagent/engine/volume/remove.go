//go:build linux

package volume

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/volume"
)

// Remove removes a volume and its data. Errors: Conflict where a container uses it, NotFound unless forced.
func (s *Service) Remove(_ context.Context, name string, force bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.get(name)
	if err != nil {
		if force {
			return nil
		}
		return err
	}
	return s.remove(v)
}

// remove removes a volume nobody uses; s.mu is held. The record goes first: data without a record is made a volume's
// again by its name, a record without data would be a loss that nobody asked for.
func (s *Service) remove(v *vol) error {
	name := v.rec.Name
	if len(v.users) > 0 {
		ids := slices.Sorted(maps.Keys(v.users))
		return errdefs.Conflict("remove %s: volume is in use - [%s]", name, strings.Join(ids, ", "))
	}
	if err := s.unmount(v); err != nil {
		return err
	}
	if err := s.store.Delete(name); err != nil {
		return err
	}
	delete(s.volumes, name)
	if err := os.RemoveAll(filepath.Dir(s.data(name))); err != nil {
		return errdefs.System("removing the data of volume %s: %w", name, err)
	}
	s.bus.Publish("volume", "destroy", name, map[string]string{"driver": driver})
	return nil
}

// Prune removes the anonymous volumes that nobody uses, with the filter all the named ones too. Filters: all, label.
func (s *Service) Prune(_ context.Context, filters map[string]map[string]bool) (volume.PruneReport, error) {
	report := volume.PruneReport{VolumesDeleted: []string{}}
	for k := range filters {
		if k != "all" && k != "label" && k != "label!" {
			return report, errdefs.Invalid("invalid filter '%s'", k)
		}
	}
	all := false
	for v := range filters["all"] {
		switch v {
		case "1", "true":
			all = true
		case "0", "false":
		default:
			return report, errdefs.Invalid("invalid filter 'all=%s'", v)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.volumes)) {
		v := s.volumes[name]
		if _, anonymous := v.rec.Labels[anonymousLabel]; !anonymous && !all || len(v.users) > 0 {
			continue
		}
		if !labelled(v.rec.Labels, filters["label"]) || len(filters["label!"]) > 0 && labelled(v.rec.Labels, filters["label!"]) {
			continue
		}
		size := usage(s.data(name))
		if err := s.remove(v); err != nil {
			continue // mounted by somebody else: it stays
		}
		report.VolumesDeleted = append(report.VolumesDeleted, name)
		report.SpaceReclaimed += uint64(size)
	}
	return report, nil
}
