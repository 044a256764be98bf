package api

import (
	"net/http"

	"github.com/berthhq/berth/internal/errdefs"
)

func (s *Server) buildRefused(*call) error {
	return errdefs.NotImplemented("building images is not supported yet")
}

func (s *Server) checkpointRefused(*call) error {
	return errdefs.NotImplemented("checkpoints are not supported")
}

func (s *Server) attestationsRefused(*call) error {
	return errdefs.NotImplemented("reading an image's attestations is not supported yet")
}

func (s *Server) buildPrune(c *call) error {
	if _, err := c.filters("build/prune"); err != nil {
		return err
	}
	report, err := s.System.BuildPrune(c.ctx())
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusOK, report)
}
