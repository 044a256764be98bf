package api

import (
	"context"
	"net/http"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/registry"
)

// ImageSearcher is what an ImageBackend may also do.
type ImageSearcher interface {
	ImageSearch(ctx context.Context, term string, limit int, f Filters, auth *registry.AuthConfig) ([]registry.SearchResult, error)
}

// legacySummary is an image's line before 1.44.
type legacySummary struct {
	image.Summary
	VirtualSize int64
}

func (s *Server) imageList(c *call) error {
	f, err := c.filters("images")
	if err != nil {
		return err
	}
	o := ImageListOptions{
		All:        c.flag("all"),
		SharedSize: c.flag("shared-size") && !c.version.Before(42),
		Manifests:  (c.flag("manifests") && !c.version.Before(47)) || (c.flag("identity") && !c.version.Before(54)),
		Filters:    f,
	}
	if name := c.query.Get("filter"); name != "" && c.version.Before(28) {
		f["reference"] = map[string]bool{name: true}
	}
	list, err := s.Image.ImageList(c.ctx(), o)
	if err != nil {
		return err
	}
	if c.version.Before(51) {
		for i := range list {
			list[i].Containers = -1 // dockerd counted them for /system/df alone
		}
	}
	return writeJSON(c.w, http.StatusOK, summariesFor(c.version, list))
}

// summariesFor gives the lines in the shape of a version.
func summariesFor(v Version, list []image.Summary) any {
	old := make([]legacySummary, 0, len(list))
	for i := range list {
		if v.Before(48) {
			list[i].Descriptor = nil
		}
		old = append(old, legacySummary{Summary: list[i], VirtualSize: list[i].Size})
	}
	if v.Before(44) {
		return old
	}
	return notNil(list)
}

func (s *Server) imageHistory(c *call) error {
	platform, err := c.platformJSON(48)
	if err != nil {
		return err
	}
	list, err := s.Image.ImageHistory(c.ctx(), c.name, platform)
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusOK, notNil(list))
}

func (s *Server) imageSearch(c *call) error {
	searcher, ok := s.Image.(ImageSearcher)
	if !ok {
		return errdefs.NotImplemented("image search is not supported yet")
	}
	limit, err := c.number("limit")
	if err != nil {
		return err
	}
	n := 0
	if limit != nil {
		n = *limit
	}
	f, err := parseFilters(c.query.Get("filters"))
	if err != nil {
		return err
	}
	list, err := searcher.ImageSearch(c.ctx(), c.query.Get("term"), n, f, s.auth(c))
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusOK, notNil(list))
}

func (s *Server) distributionInspect(c *call) error {
	ref, err := joinReference(c.name, "")
	if err != nil {
		return err
	}
	resp, err := s.Image.DistributionInspect(c.ctx(), ref.String(), s.auth(c))
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusOK, resp)
}
