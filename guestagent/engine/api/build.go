package api

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
)

func (s *Server) checkpointRefused(*call) error {
	return errdefs.NotImplemented("This experimental feature is disabled by default. Start the Docker daemon in experimental mode in order to enable it.")
}

func (s *Server) attestationsRefused(*call) error {
	return errdefs.NotImplemented("reading an image's attestations is not supported yet")
}

// build makes an image. With q the client gets the image's ID alone, and the progress only of a build that fails.
func (s *Server) build(c *call) error {
	o, err := c.buildOptions()
	if err != nil {
		return err
	}
	if o.Auth, err = buildAuth(c.r.Header); err != nil {
		s.Log.Warn("credentials of a build ignored", "error", err)
	}
	// Progress is sent while the client still sends its context.
	_ = http.NewResponseController(c.w).EnableFullDuplex() // a test's recorder has no connection
	defer c.drain()
	quiet := c.flag("q")
	return c.progress(func(w *flushWriter) error {
		var held bytes.Buffer
		out := io.Writer(w)
		if quiet {
			out = &held
		}
		id, err := s.Build.Build(c.ctx(), o, c.r.Body, out)
		switch {
		case err != nil && quiet && held.Len() > 0:
			_, _ = w.Write(held.Bytes()) // the error that matters is the build's
			return err
		case err != nil || !quiet:
			return err
		}
		msg, err := json.Marshal(map[string]string{"stream": id + "\n"})
		if err == nil {
			_, err = w.Write(append(msg, '\r', '\n'))
		}
		return err
	})
}

// drainTime is how long the rest of a body that nobody wants may take.
const drainTime = 5 * time.Second

// drain reads a body to its end. In full duplex net/http does so after the handler, and when it meets the end there, a
// read of the next request has begun that it then forgets: the next request's body is refused with a panic.
func (c *call) drain() {
	if c.r.Body == nil {
		return
	}
	_ = http.NewResponseController(c.w).SetReadDeadline(time.Now().Add(drainTime)) // past it the connection is of no use
	_, _ = io.Copy(io.Discard, c.r.Body)
}

func (s *Server) buildCancel(c *call) error {
	id := c.query.Get("id")
	if id == "" {
		return errdefs.Invalid("build ID not provided")
	}
	c.w.Header().Set("Content-Type", "application/json")
	return s.Build.BuildCancel(c.ctx(), id)
}

func (s *Server) buildPrune(c *call) error {
	o := BuildPruneOptions{All: c.flag("all")}
	var err error
	if o.Filters, err = c.filters("build/prune"); err != nil {
		return err
	}
	if o.ReservedSpace, err = c.bytes("keep-storage"); err != nil {
		return err
	}
	if !c.version.Before(48) {
		reserved, err := c.bytes("reserved-space")
		if err != nil {
			return err
		}
		if reserved != 0 {
			o.ReservedSpace = reserved
		}
		if o.MaxUsedSpace, err = c.bytes("max-used-space"); err != nil {
			return err
		}
		if o.MinFreeSpace, err = c.bytes("min-free-space"); err != nil {
			return err
		}
	}
	report, err := s.Build.BuildPrune(c.ctx(), o)
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusOK, report)
}

// bytes reads a size; a missing one is 0.
func (c *call) bytes(key string) (int64, error) {
	n, err := c.number(key)
	switch {
	case err != nil:
		return 0, errdefs.Invalid("%s is in bytes and expects an integer, got %s", key, c.query.Get(key))
	case n == nil:
		return 0, nil
	}
	return int64(*n), nil
}
