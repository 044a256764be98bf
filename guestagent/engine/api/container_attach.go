package api

import (
	"io"
	"net/http"

	"github.com/berthhq/berth/internal/errdefs"
)

func (c *call) attachOptions() AttachOptions {
	return AttachOptions{
		Stdin: c.flag("stdin"), Stdout: c.flag("stdout"), Stderr: c.flag("stderr"),
		Stream: c.flag("stream"), Logs: c.flag("logs"), DetachKeys: c.query.Get("detachKeys"),
	}
}

func (s *Server) containerAttach(c *call) error {
	err := s.Stream.ContainerAttach(c.ctx(), c.name, c.attachOptions(), c.hijack)
	if err == nil || c.w.started || c.w.hijacked {
		return err
	}
	// As docker, which has taken the connection over by then: plain text, and the connection ends.
	c.w.Header().Set("Content-Type", "application/vnd.docker.raw-stream")
	c.w.Header().Set("Connection", "close")
	c.w.WriteHeader(errdefs.HTTPStatus(err))
	_, werr := io.WriteString(c.w, err.Error()+"\r\n")
	return werr
}

func (s *Server) containerResize(c *call) error {
	height, width, err := c.terminalSize()
	if err != nil {
		return err
	}
	return c.ok(s.Stream.ContainerResize(c.ctx(), c.name, height, width))
}

// terminalSize reads h and w, in characters.
func (c *call) terminalSize() (height, width uint16, err error) {
	if height, err = c.size("h", "height"); err != nil {
		return 0, 0, err
	}
	width, err = c.size("w", "width")
	return height, width, err
}

// ok answers 200 without a body, which a few verbs do.
func (c *call) ok(err error) error {
	if err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusOK)
	return nil
}
