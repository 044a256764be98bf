package api

import (
	"net/http"

	"github.com/berthhq/berth/internal/editapi"
)

// ownRoutes are berth's additions to docker's API: all below /berth/, so that nothing of docker's can be meant.
func ownRoutes() []Route {
	return []Route{
		{Method: "POST", Path: "/berth/containers/{id}/edit", Noun: "berth", Summary: "Change a container, or with plan=1 tell what that would do", serve: (*Server).containerEdit},
	}
}

func (s *Server) containerEdit(c *call) error {
	var change editapi.Change
	if err := c.readJSON(&change); err != nil {
		return err
	}
	edit := s.Container.ContainerEdit
	if c.flag("plan") {
		edit = s.Container.ContainerEditPlan
	}
	plan, err := edit(c.ctx(), c.name, &change)
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusOK, plan)
}
