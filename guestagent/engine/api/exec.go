package api

import (
	"net/http"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
)

func (s *Server) execCreate(c *call) error {
	var req container.ExecCreateRequest
	if err := c.readJSON(&req); err != nil {
		return err
	}
	if len(req.Cmd) == 0 {
		return errdefs.Invalid("No exec command specified")
	}
	if c.version.Before(42) {
		req.ConsoleSize = nil
	}
	id, err := s.Stream.ExecCreate(c.ctx(), c.name, &req)
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusCreated, container.ExecCreateResponse{ID: id})
}

// execStart hijacks unless the client detaches. The size of a terminal is only for a terminal.
func (s *Server) execStart(c *call) error {
	var req container.ExecStartRequest
	if err := c.readJSON(&req); err != nil {
		return err
	}
	if c.version.Before(42) || !req.Tty {
		req.ConsoleSize = nil
	}
	err := s.Stream.ExecStart(c.ctx(), c.name, &req, c.hijack)
	if err == nil && !c.w.hijacked {
		c.w.WriteHeader(http.StatusOK)
	}
	return err
}

func (s *Server) execInspect(c *call) error {
	resp, err := s.Stream.ExecInspect(c.ctx(), c.name)
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusOK, resp)
}

func (s *Server) execResize(c *call) error {
	height, width, err := c.terminalSize()
	if err != nil {
		return err
	}
	return c.ok(s.Stream.ExecResize(c.ctx(), c.name, height, width))
}
