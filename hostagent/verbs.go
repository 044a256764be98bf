package hostagent

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/machineapi"
)

// maxBody bounds a request of a verb, in bytes.
const maxBody = 64 << 10

// handler is the API that machineapi describes. A verb that has begun goes on when its client has gone: half a stop
// would be a power cut.
func (a *Agent) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /machine", func(w http.ResponseWriter, r *http.Request) { answer(w, a.Status(r.Context()), nil) })
	mux.HandleFunc("GET /machine/doctor", func(w http.ResponseWriter, r *http.Request) { answer(w, a.Doctor(r.Context()), nil) })
	mux.HandleFunc("POST /machine/shell", a.shell)
	mux.HandleFunc("PUT /machine/settings", func(w http.ResponseWriter, r *http.Request) {
		s, err := body[machineapi.Settings](r)
		if err == nil {
			err = a.Set(r.Context(), s)
		}
		answer(w, a.Status(r.Context()), err)
	})
	mux.HandleFunc("POST /machine/start", a.steps(func(ctx context.Context, _ *http.Request, say func(string)) error { return a.Start(ctx, say) }))
	mux.HandleFunc("POST /machine/restart", a.steps(func(ctx context.Context, _ *http.Request, say func(string)) error { return a.Restart(ctx, say) }))
	mux.HandleFunc("POST /machine/reset", a.steps(func(ctx context.Context, _ *http.Request, say func(string)) error { return a.Reset(ctx, say) }))
	mux.HandleFunc("POST /machine/stop", a.steps(func(ctx context.Context, r *http.Request, say func(string)) error {
		s, err := body[machineapi.Stop](r)
		if err == nil {
			err = a.Stop(ctx, s.Force, say)
		}
		if err == nil {
			defer a.finish()
		}
		return err
	}))
	return mux
}

func body[T any](r *http.Request) (T, error) {
	var v T
	err := json.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(&v)
	if err != nil && !errors.Is(err, io.EOF) {
		return v, errdefs.Invalid("the request's body: %w", err)
	}
	return v, nil
}

func answer(w http.ResponseWriter, v any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(errdefs.HTTPStatus(err))
		v = machineapi.Fail(err)
	}
	_ = json.NewEncoder(w).Encode(v) // a client that has gone needs no answer
}

// steps serves a verb that tells what it does.
func (a *Agent) steps(do func(context.Context, *http.Request, func(string)) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		var mu sync.Mutex
		send := func(s machineapi.Step) {
			mu.Lock()
			defer mu.Unlock()
			if json.NewEncoder(w).Encode(s) == nil {
				_ = http.NewResponseController(w).Flush()
			}
		}
		ctx := context.WithoutCancel(r.Context())
		if err := do(ctx, r, func(text string) { send(machineapi.Step{Text: text}) }); err != nil {
			send(machineapi.Step{Error: machineapi.Fail(err)})
			return
		}
		m := a.Status(ctx)
		send(machineapi.Step{Machine: &m})
	}
}
