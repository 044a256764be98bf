package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
)

// done answers 204, which most verbs do.
func (c *call) done(err error) error {
	if err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) containerStart(c *call) error {
	// Clients up to 1.23 sent a HostConfig with start; those are too old to get here, so a body is a mistake.
	if c.r.ContentLength > 7 || c.r.ContentLength == -1 {
		return errdefs.Invalid("starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24")
	}
	if c.query.Get("checkpoint") != "" {
		return errdefs.NotImplemented("checkpoints are not supported")
	}
	return c.done(s.Container.ContainerStart(c.ctx(), c.name))
}

func (s *Server) containerStop(c *call) error { return s.stopWith(c, s.Container.ContainerStop) }

func (s *Server) containerRestart(c *call) error { return s.stopWith(c, s.Container.ContainerRestart) }

func (s *Server) stopWith(c *call, verb func(ctx context.Context, name, signal string, timeout *int) error) error {
	timeout, err := c.number("t")
	if err != nil {
		return err
	}
	signal := ""
	if !c.version.Before(42) {
		signal = c.query.Get("signal")
	}
	return c.done(verb(c.ctx(), c.name, signal, timeout))
}

func (s *Server) containerKill(c *call) error {
	err := s.Container.ContainerKill(c.ctx(), c.name, c.query.Get("signal"))
	if err != nil {
		return fmt.Errorf("cannot kill container: %s: %w", c.name, err)
	}
	return c.done(nil)
}

func (s *Server) containerPause(c *call) error {
	return c.done(s.Container.ContainerPause(c.ctx(), c.name))
}

func (s *Server) containerUnpause(c *call) error {
	return c.done(s.Container.ContainerUnpause(c.ctx(), c.name))
}

func (s *Server) containerRename(c *call) error {
	newName := c.query.Get("name")
	if c.name == "" || newName == "" {
		return errdefs.Invalid("Neither old nor new names may be empty")
	}
	return c.done(s.Container.ContainerRename(c.ctx(), c.name, newName))
}

func (s *Server) containerRemove(c *call) error {
	name, err := c.containerName()
	if err != nil {
		return err
	}
	return c.done(s.Container.ContainerRemove(c.ctx(), name, c.flag("force"), c.flag("v"), c.flag("link")))
}

func (s *Server) containerPrune(c *call) error {
	f, err := c.filters("containers/prune")
	if err != nil {
		return err
	}
	report, err := s.Container.ContainerPrune(c.ctx(), f)
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusOK, report)
}

func (s *Server) containerUpdate(c *call) error {
	var cfg container.UpdateConfig
	if err := c.readJSON(&cfg); err != nil {
		return err
	}
	if c.version.Before(40) {
		cfg.PidsLimit = nil
	}
	if cfg.PidsLimit != nil && *cfg.PidsLimit <= 0 {
		unlimited := int64(-1) // 0 and everything below mean the same
		cfg.PidsLimit = &unlimited
	}
	if c.version.Before(55) {
		cfg.BlkioWeightDevice = nil
		cfg.BlkioDeviceReadBps, cfg.BlkioDeviceWriteBps = nil, nil
		cfg.BlkioDeviceReadIOps, cfg.BlkioDeviceWriteIOps = nil, nil
	}
	resp, err := s.Container.ContainerUpdate(c.ctx(), c.name, &cfg)
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusOK, resp)
}
