package api

import (
	"encoding/json"
	"net/http"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
)

// containerWait sends its head before it waits, so that a client knows its wait stands before it starts the container.
func (s *Server) containerWait(c *call) error {
	cond := container.WaitConditionNotRunning
	headFirst := !c.version.Before(30)
	if v := container.WaitCondition(c.query.Get("condition")); headFirst && v != "" {
		switch v {
		case container.WaitConditionNotRunning, container.WaitConditionNextExit, container.WaitConditionRemoved:
			cond = v
		default:
			return errdefs.Invalid("invalid condition: %q", v)
		}
	}
	wait, err := s.Container.ContainerWait(c.ctx(), c.name, cond)
	if err != nil {
		return err
	}
	if headFirst {
		c.sendHead("application/json")
	}
	resp, err := wait(c.ctx())
	if err != nil {
		if c.ctx().Err() != nil || !headFirst {
			return err
		}
		resp.Error = &container.WaitExitError{Message: err.Error()}
	}
	if !headFirst {
		return writeJSON(c.w, http.StatusOK, resp)
	}
	return json.NewEncoder(c.w).Encode(resp)
}
