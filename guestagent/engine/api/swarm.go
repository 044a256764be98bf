package api

import (
	"net/http"

	"github.com/berthhq/berth/internal/errdefs"
)

// notManager is what dockerd says to every swarm verb outside a swarm.
const notManager = `This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.`

func (s *Server) notInSwarm(*call) error { return errdefs.Unavailable("%s", notManager) }

func (s *Server) swarmLeave(*call) error {
	return errdefs.Unavailable("This node is not part of a swarm")
}

func (s *Server) swarmJoin(*call) error {
	return errdefs.NotImplemented("swarm mode is not supported by this engine")
}

// pluginList is empty: there are none.
func (s *Server) pluginList(c *call) error {
	if _, err := c.filters("plugins"); err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusOK, []struct{}{})
}

func (s *Server) pluginMissing(c *call) error { return errdefs.NotFound("plugin %q not found", c.name) }

func (s *Server) pluginRefused(*call) error {
	return errdefs.NotImplemented("plugins are not supported by this engine")
}
