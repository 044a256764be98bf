package api

import (
	"net/http"
	"strconv"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/network"
)

func (s *Server) networkList(c *call) error {
	f, err := c.filters("networks")
	if err != nil {
		return err
	}
	list, err := s.Network.NetworkList(c.ctx(), f)
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusOK, notNil(list))
}

func (s *Server) networkInspect(c *call) error {
	verbose := false
	if text := c.query.Get("verbose"); text != "" {
		var err error
		if verbose, err = strconv.ParseBool(text); err != nil {
			return errdefs.Invalid("invalid value for verbose: %s: %w", text, err)
		}
	}
	n, err := s.Network.NetworkInspect(c.ctx(), c.name, verbose)
	if err != nil {
		return err
	}
	if scope := c.query.Get("scope"); scope != "" && scope != n.Scope {
		return errdefs.NotFound("network %s not found", c.name)
	}
	if c.version.Before(52) && n.Status != nil {
		old := *n
		old.Status = nil
		n = &old
	}
	return writeJSON(c.w, http.StatusOK, n)
}

func (s *Server) networkCreate(c *call) error {
	var req network.CreateRequest
	if err := c.readJSON(&req); err != nil {
		return err
	}
	if req.Name == "" {
		return errdefs.Invalid("invalid name: name is empty")
	}
	if c.version.Before(48) {
		req.EnableIPv4 = nil
	}
	resp, err := s.Network.NetworkCreate(c.ctx(), &req)
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusCreated, resp)
}

func (s *Server) networkRemove(c *call) error {
	return c.done(s.Network.NetworkRemove(c.ctx(), c.name))
}

func (s *Server) networkConnect(c *call) error {
	var req network.ConnectRequest
	if err := c.readJSON(&req); err != nil {
		return err
	}
	if ep := req.EndpointConfig; ep != nil {
		if c.version.Before(44) {
			ep.MacAddress = nil
		}
		if c.version.Before(48) {
			ep.GwPriority = 0
		}
	}
	return c.ok(s.Network.NetworkConnect(c.ctx(), c.name, &req))
}

func (s *Server) networkDisconnect(c *call) error {
	var req network.DisconnectRequest
	if err := c.readJSON(&req); err != nil {
		return err
	}
	return c.ok(s.Network.NetworkDisconnect(c.ctx(), c.name, &req))
}

func (s *Server) networkPrune(c *call) error {
	f, err := c.filters("networks/prune")
	if err != nil {
		return err
	}
	report, err := s.Network.NetworkPrune(c.ctx(), f)
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusOK, report)
}
