package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"sync"

	"github.com/moby/moby/api/types/jsonstream"
)

// flushWriter sends every write at once. The answer's head goes out with the first.
type flushWriter struct {
	mu sync.Mutex
	w  *response
}

func (f *flushWriter) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.w.Write(p)
	if err == nil {
		f.w.Flush()
	}
	return n, err
}

// sendHead sends the answer's head before there is anything to say.
func (c *call) sendHead(contentType string) {
	c.w.Header().Set("Content-Type", contentType)
	c.w.WriteHeader(http.StatusOK)
	c.w.Flush()
}

// raw runs produce with a writer whose bytes go to the client as they are. An error before the first byte is a plain
// one; a later one cuts the connection, so that a truncated archive is not taken for a whole one.
func (c *call) raw(contentType string, produce func(w *response) error) error {
	c.w.Header().Set("Content-Type", contentType)
	if err := produce(c.w); err != nil {
		return err
	}
	c.w.Flush()
	return nil
}

// streamError is how a progress stream says that it failed. The older "error" is still what some clients look at.
type streamError struct {
	Detail  jsonstream.Error `json:"errorDetail"`
	Message string           `json:"error"`
}

// progress runs produce with a writer of JSON messages, flushed one by one. An error before the first message is a
// plain one; a later one becomes the last message.
func (c *call) progress(produce func(w *flushWriter) error) error {
	c.w.Header().Set("Content-Type", "application/json")
	out := &flushWriter{w: c.w}
	err := produce(out)
	if err == nil {
		c.w.Flush()
		return nil
	}
	if !c.w.started {
		return err
	}
	detail := jsonstream.Error{Message: err.Error()}
	var coded *jsonstream.Error
	if errors.As(err, &coded) {
		detail.Code = coded.Code // of a command that failed
	}
	msg, encErr := json.Marshal(streamError{Detail: detail, Message: detail.Message})
	if encErr != nil {
		return encErr
	}
	_, _ = out.Write(append(msg, '\r', '\n')) // the client may be gone: nobody left to tell
	return nil
}
