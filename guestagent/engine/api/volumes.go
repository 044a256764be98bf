package api

import (
	"net/http"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/volume"
)

func (s *Server) volumeList(c *call) error {
	f, err := c.filters("volumes")
	if err != nil {
		return err
	}
	resp, err := s.Volume.VolumeList(c.ctx(), f)
	if err != nil {
		return err
	}
	resp.Volumes = notNil(resp.Volumes)
	return writeJSON(c.w, http.StatusOK, resp)
}

func (s *Server) volumeInspect(c *call) error {
	v, err := s.Volume.VolumeInspect(c.ctx(), c.name)
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusOK, v)
}

func (s *Server) volumeCreate(c *call) error {
	var req volume.CreateRequest
	if err := c.readJSON(&req); err != nil {
		return err
	}
	if req.ClusterVolumeSpec != nil {
		return errdefs.Unavailable("%s", notManager)
	}
	v, err := s.Volume.VolumeCreate(c.ctx(), &req)
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusCreated, v)
}

// volumeUpdate is for cluster volumes only.
func (s *Server) volumeUpdate(*call) error {
	return errdefs.Unavailable("volume update only valid for cluster volumes, but swarm is unavailable")
}

func (s *Server) volumeRemove(c *call) error {
	return c.done(s.Volume.VolumeRemove(c.ctx(), c.name, c.flag("force")))
}

// volumePrune took named volumes too before 1.42.
func (s *Server) volumePrune(c *call) error {
	f, err := c.filters("volumes/prune")
	if err != nil {
		return err
	}
	if c.version.Before(42) {
		f["all"] = map[string]bool{"true": true}
	}
	report, err := s.Volume.VolumePrune(c.ctx(), f)
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusOK, report)
}
