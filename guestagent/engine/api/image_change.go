package api

import (
	"net/http"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/distribution/reference"
)

func (s *Server) imageTag(c *call) error {
	target, err := joinReference(c.query.Get("repo"), c.query.Get("tag"))
	if err != nil {
		return err
	}
	if _, digested := target.(reference.Digested); digested {
		return errdefs.Invalid("refusing to create a tag with a digest reference")
	}
	if target.Name() == "docker.io/library/sha256" {
		return errdefs.Invalid("refusing to create an ambiguous tag using digest algorithm as name")
	}
	if err := s.Image.ImageTag(c.ctx(), c.name, reference.TagNameOnly(target).String()); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusCreated)
	return nil
}

func (s *Server) imageRemove(c *call) error {
	if strings.TrimSpace(c.name) == "" {
		return errdefs.Invalid("image name cannot be blank")
	}
	platforms, err := c.platformsJSON(50)
	if err != nil {
		return err
	}
	list, err := s.Image.ImageRemove(c.ctx(), c.name, c.flag("force"), c.flag("noprune"), platforms)
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusOK, notNil(list))
}

func (s *Server) imagePrune(c *call) error {
	f, err := c.filters("images/prune")
	if err != nil {
		return err
	}
	report, err := s.Image.ImagePrune(c.ctx(), f)
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusOK, report)
}

func (s *Server) imageLoad(c *call) error {
	platform, err := c.platformJSON(48)
	if err != nil {
		return err
	}
	return c.progress(func(w *flushWriter) error {
		err := s.Image.ImageLoad(c.ctx(), c.r.Body, platform, c.flagOr("quiet", true), w)
		if err != nil && !c.w.started {
			c.sendHead("application/json") // as dockerd: whatever is wrong with an archive is told in the stream
		}
		return err
	})
}

// imageSave writes the one image of the path, or those of the names parameter.
func (s *Server) imageSave(c *call) error {
	platform, err := c.platformJSON(48)
	if err != nil {
		return err
	}
	refs := c.query["names"]
	if c.name != "" {
		refs = []string{c.name}
	}
	return c.raw("application/x-tar", func(w *response) error {
		return s.Image.ImageSave(c.ctx(), refs, platform, w)
	})
}
