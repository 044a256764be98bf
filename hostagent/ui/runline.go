package ui

import (
	"net/http"

	"github.com/moby/moby/api/types/container"

	"github.com/berthhq/berth/internal/runline"
)

// runLine gives the berth run line of what the form says.
func (s *Server) runLine(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name   string                  `json:"name"`
		Create container.CreateRequest `json:"create"`
	}
	if err := read(r, &in); err != nil {
		refuse(w, err)
		return
	}
	line, left, err := runline.FormatRun(runline.Wanted{Name: in.Name, Create: &in.Create})
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, map[string]any{"line": line, "left": left})
}

// parseRun reads a line that was pasted, by the command line's own flags.
func (s *Server) parseRun(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Line string `json:"line"`
	}
	if err := read(r, &in); err != nil {
		refuse(w, err)
		return
	}
	line, err := runline.ParseRun(in.Line, runline.Place{Home: s.cfg.About.Home})
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, line)
}
