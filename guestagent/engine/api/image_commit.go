package api

import (
	"net/http"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/common"
	"github.com/moby/moby/api/types/container"
)

func (s *Server) imageCommit(c *call) error {
	if !c.hasBody() {
		if err := c.checkJSONType(); err != nil {
			return err
		}
	}
	var cfg *container.Config // without a body: the container's own
	if c.hasBody() {
		cfg = &container.Config{}
	}
	if err := c.readJSON(cfg); err != nil {
		return err
	}
	o := CommitOptions{Author: c.query.Get("author"), Comment: c.query.Get("comment"), Changes: c.query["changes"], Config: cfg}
	if repo := c.query.Get("repo"); repo != "" {
		named, err := joinReference(repo, c.query.Get("tag"))
		if err != nil {
			return err
		}
		if _, ok := named.(reference.Digested); ok {
			return errdefs.Invalid("cannot import digest reference")
		}
		o.Reference = reference.TagNameOnly(named).String()
	}
	name := c.query.Get("container")
	if name == "" {
		return errdefs.Invalid("container is required")
	}
	id, err := s.Image.ImageCommit(c.ctx(), name, o)
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusCreated, common.IDResponse{ID: id})
}
