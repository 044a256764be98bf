package api

import "net/http"

func (s *Server) containerInspect(c *call) error {
	resp, err := s.Query.ContainerInspect(c.ctx(), c.name, c.flag("size"))
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusOK, inspectFor(c.version, resp))
}

func (s *Server) containerTop(c *call) error {
	resp, err := s.Query.ContainerTop(c.ctx(), c.name, c.query.Get("ps_args"))
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusOK, resp)
}

// containerChanges answers null, not [], for no changes: so does dockerd.
func (s *Server) containerChanges(c *call) error {
	resp, err := s.Query.ContainerChanges(c.ctx(), c.name)
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusOK, resp)
}
