package api

import (
	"net/http"

	"github.com/moby/moby/api/types/registry"
)

func (s *Server) registryLogin(c *call) error {
	var auth registry.AuthConfig
	if err := c.readJSON(&auth); err != nil {
		return err
	}
	resp, err := s.Image.RegistryLogin(c.ctx(), &auth)
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusOK, resp)
}
