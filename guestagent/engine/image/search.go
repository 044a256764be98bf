//go:build linux

package image

import (
	"context"
	"strconv"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/registry"
)

// ImageSearch asks a registry for repositories. Filters: is-official, stars (at least), is-automated, of which there are
// none any more.
func (s *Service) ImageSearch(ctx context.Context, term string, limit int, filters map[string]map[string]bool, auth *registry.AuthConfig) ([]registry.SearchResult, error) {
	keep, err := searchFilter(filters)
	if err != nil {
		return nil, err
	}
	if keep == nil {
		return []registry.SearchResult{}, nil
	}
	list, err := s.registry.Search(ctx, term, limit, auth)
	if err != nil {
		return nil, err
	}
	out := []registry.SearchResult{}
	for _, r := range list {
		if keep(&r) {
			out = append(out, r)
		}
	}
	return out, nil
}

// searchFilter compiles the filters of a search; nil where nothing can pass.
func searchFilter(filters map[string]map[string]bool) (func(*registry.SearchResult) bool, error) {
	flags := map[string]bool{}
	stars := 0
	for key, values := range filters {
		for v := range values {
			var err error
			switch key {
			case "is-official", "is-automated":
				var want bool
				want, err = strconv.ParseBool(v)
				if old, twice := flags[key]; err != nil || twice && old != want {
					return nil, errdefs.Invalid("invalid filter '%s=[%s]'", key, v)
				}
				flags[key] = want
			case "stars":
				var n int
				if n, err = strconv.Atoi(v); err != nil {
					return nil, errdefs.Invalid("invalid filter 'stars=%s': %w", v, err)
				}
				stars = max(stars, n)
			default:
				return nil, errdefs.Invalid("invalid filter '%s'", key)
			}
		}
	}
	if flags["is-automated"] {
		return nil, nil
	}
	official, asked := flags["is-official"]
	return func(r *registry.SearchResult) bool {
		return r.StarCount >= stars && (!asked || r.IsOfficial == official)
	}, nil
}
