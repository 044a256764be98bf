package api

import (
	"bufio"
	"fmt"
	"io"
	"strconv"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
)

func (s *Server) containerLogs(c *call) error {
	o := LogOptions{
		Stdout: c.flag("stdout"), Stderr: c.flag("stderr"), Follow: c.flag("follow"),
		Timestamps: c.flag("timestamps"), Details: c.flag("details"), Tail: tail(c.query.Get("tail")),
	}
	if !o.Stdout && !o.Stderr {
		return errdefs.Invalid("Bad parameters: you must choose at least one stream")
	}
	var err error
	if o.Since, o.Until, err = c.span(); err != nil {
		return err
	}
	tty, stream, err := s.Query.ContainerLogs(c.ctx(), c.name, o)
	if err != nil {
		return err
	}
	c.sendHead(streamType(!tty, c.version))
	out := bufio.NewWriterSize(c.w, logBuffer)
	settled := func() {
		_ = out.Flush() // the client may be gone: the request's context tells
		c.w.Flush()
	}
	stdout, stderr := framed(out, !tty)
	if err := stream(c.ctx(), stdout, stderr, settled); err != nil && c.ctx().Err() == nil {
		_, _ = fmt.Fprintf(stderr, "Error grabbing logs: %v\n", err) // dockerd's way; the head is long gone
	}
	settled()
	return nil
}

// logBuffer is how much of a log goes out at once, in bytes: a write for every line takes longer than reading it.
const logBuffer = 32 << 10

// tail reads the number of lines; "all" and what is no number mean everything, as in dockerd.
func tail(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}

// framed gives the two writers of a container's output; without mux both are the connection itself.
func framed(w io.Writer, mux bool) (stdout, stderr io.Writer) {
	if !mux {
		return w, w
	}
	return &frameWriter{w: w, stream: byte(stdcopy.Stdout)}, &frameWriter{w: w, stream: byte(stdcopy.Stderr)}
}
