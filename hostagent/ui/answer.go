package ui

import (
	"encoding/json"
	"io"
	"net/http"

	"github.com/berthhq/berth/internal/errdefs"
)

// mostBody bounds what the page sends that is no file.
const mostBody = 4 << 20

// failure is an error as the page is told: the engine's form, with the hint.
type failure struct {
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func refuse(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(errdefs.HTTPStatus(err))
	_ = json.NewEncoder(w).Encode(failure{err.Error(), errdefs.HintOf(err)}) // a client that has gone is nobody's error
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// read parses a body of JSON.
func read(r *http.Request, into any) error {
	d := json.NewDecoder(io.LimitReader(r.Body, mostBody))
	if err := d.Decode(into); err != nil {
		return errdefs.Invalid("the request's body: %w", err)
	}
	return nil
}
