package ui

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"

	"github.com/berthhq/berth/internal/endpoint"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/machineapi"
	"github.com/berthhq/berth/internal/paths"
)

// mostConsole bounds how much of a guest's console is shown, in bytes.
const mostConsole = 256 << 10

// machines are the verbs on the person's virtual machines, which their host agents carry out.
func (s *Server) machines(mux *http.ServeMux) {
	mux.HandleFunc("GET /local/machines", func(w http.ResponseWriter, r *http.Request) {
		all := []machineapi.Machine{}
		for _, l := range s.cfg.Machines() {
			m, err := machineapi.NewClient(l.AgentSocket()).Machine(r.Context())
			if errors.Is(err, machineapi.ErrNoAgent) {
				m, err = machineapi.Offline(l), nil
			}
			if err == nil {
				all = append(all, m)
			}
		}
		answer(w, all)
	})
	mux.HandleFunc("GET /local/machines/{name}/doctor", s.named(func(w http.ResponseWriter, r *http.Request, l paths.Machine) error {
		findings, err := machineapi.NewClient(l.AgentSocket()).Doctor(r.Context())
		if err == nil {
			answer(w, findings)
		}
		return err
	}))
	mux.HandleFunc("GET /local/machines/{name}/console", s.named(console))
	mux.HandleFunc("POST /local/machines/{name}/{verb}", s.named(change))
}

// named finds the machine of a path among the person's.
func (s *Server) named(do func(http.ResponseWriter, *http.Request, paths.Machine) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, l := range s.cfg.Machines() {
			if l.Name != r.PathValue("name") {
				continue
			}
			err := do(w, r, l)
			if errors.Is(err, machineapi.ErrNoAgent) {
				err = errdefs.Unavailable("machine %s is not running", l.Name).WithHint("Start it first.")
			}
			if err != nil {
				refuse(w, err)
			}
			return
		}
		refuse(w, errdefs.NotFound("there is no machine %q", r.PathValue("name")))
	}
}

// change starts, stops or restarts a machine and answers with each step as it is done, a line of JSON each.
func change(w http.ResponseWriter, r *http.Request, l paths.Machine) error {
	verbs := map[string]func(*machineapi.Client, context.Context, func(string)) (machineapi.Machine, error){
		"start":   (*machineapi.Client).Start,
		"restart": (*machineapi.Client).Restart,
		"stop": func(c *machineapi.Client, ctx context.Context, tell func(string)) (machineapi.Machine, error) {
			return c.Stop(ctx, machineapi.Stop{}, tell)
		},
	}
	do := verbs[r.PathValue("verb")]
	if do == nil {
		return errdefs.NotFound("a machine cannot %q", r.PathValue("verb"))
	}
	if r.PathValue("verb") != "stop" {
		if err := endpoint.StartAgent(r.Context(), l, nil); err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	flow, out := http.NewResponseController(w), json.NewEncoder(w)
	tell := func(step machineapi.Step) {
		_ = out.Encode(step) // a page that has gone does not stop the verb
		_ = flow.Flush()
	}
	m, err := do(machineapi.NewClient(l.AgentSocket()), context.WithoutCancel(r.Context()), func(text string) { tell(machineapi.Step{Text: text}) })
	if err != nil {
		tell(machineapi.Step{Error: machineapi.Fail(err)})
		return nil
	}
	tell(machineapi.Step{Machine: &m})
	return nil
}

// console answers with the end of what the guest wrote.
func console(w http.ResponseWriter, _ *http.Request, l paths.Machine) error {
	f, err := os.Open(l.Console())
	if err != nil {
		return errdefs.NotFound("machine %s has written nothing yet", l.Name)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return errdefs.System("the console of machine %s: %w", l.Name, err)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.Copy(w, io.NewSectionReader(f, max(0, info.Size()-mostConsole), mostConsole))
	return nil
}
