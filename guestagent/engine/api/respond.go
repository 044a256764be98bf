package api

import (
	"bufio"
	"encoding/json"
	"net"
	"net/http"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/common"
)

// response remembers whether an answer has begun.
type response struct {
	http.ResponseWriter
	started  bool
	hijacked bool
}

func (w *response) WriteHeader(status int) {
	w.started = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(p []byte) (int, error) {
	w.started = true
	return w.ResponseWriter.Write(p)
}

// Flush sends what has been written.
func (w *response) Flush() {
	w.started = true
	_ = http.NewResponseController(w.ResponseWriter).Flush() // only fails where nothing is buffered
}

// Hijack takes the connection over.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	w.hijacked = err == nil
	return conn, rw, err
}

// Unwrap serves http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// writeJSON sends v as the whole answer.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// HintHeader carries an error's advice for berth's own command line; docker's clients do not look at it.
const HintHeader = "Berth-Hint"

// writeError sends an error as dockerd does: its kind's status and {"message": …}.
func writeError(w http.ResponseWriter, err error) {
	status := errdefs.HTTPStatus(err)
	if hint := errdefs.HintOf(err); hint != "" {
		w.Header().Set(HintHeader, strings.Join(strings.Fields(hint), " "))
	}
	if status == http.StatusNotModified {
		w.WriteHeader(status)
		return
	}
	_ = writeJSON(w, status, common.ErrorResponse{Message: err.Error()}) // the client may be gone: nobody left to tell
}

// notNil gives a list that encodes as [] and never as null.
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
