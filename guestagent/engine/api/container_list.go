package api

import (
	"net/http"

	"github.com/berthhq/berth/internal/errdefs"
)

func (s *Server) containerList(c *call) error {
	f, err := c.filters("containers")
	if err != nil {
		return err
	}
	o := ContainerListOptions{All: c.flag("all"), Size: c.flag("size"), Filters: f}
	limit, err := c.number("limit")
	if err != nil {
		return err
	}
	if limit != nil {
		o.Limit = *limit
	}
	list, err := s.Query.ContainerList(c.ctx(), o)
	if err != nil {
		return err
	}
	if c.version.Before(46) {
		for i := range list {
			list[i].HostConfig.Annotations = nil
		}
	}
	if c.version.Before(52) {
		for i := range list {
			list[i].Health = nil
		}
	}
	if c.version.Before(48) {
		for i := range list {
			list[i].ImageManifestDescriptor = nil
		}
	}
	return writeJSON(c.w, http.StatusOK, notNil(list))
}

// containerName refuses the empty name, which a trailing slash gives.
func (c *call) containerName() (string, error) {
	if c.name == "" {
		return "", errdefs.Invalid("invalid container name or ID: value is empty")
	}
	return c.name, nil
}
