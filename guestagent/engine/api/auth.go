package api

import (
	"net/http"

	"github.com/moby/moby/api/types/registry"
)

// legacyLogin is the answer before 1.52, whose token was never left out.
type legacyLogin struct{ Status, IdentityToken string }

func (s *Server) registryLogin(c *call) error {
	var auth registry.AuthConfig
	if err := c.readJSON(&auth); err != nil {
		return err
	}
	resp, err := s.Image.RegistryLogin(c.ctx(), &auth)
	if err != nil {
		return err
	}
	if c.version.Before(52) {
		return writeJSON(c.w, http.StatusOK, legacyLogin{resp.Status, resp.IdentityToken})
	}
	return writeJSON(c.w, http.StatusOK, resp)
}
