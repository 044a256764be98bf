package container

import (
	"context"
	"io"
	"time"

	"github.com/berthhq/berth/internal/stream"
	"github.com/moby/moby/client"
)

// counted is an output that knows how much of a container's it has: what is sent anew from the beginning is skipped.
type counted struct {
	w          io.Writer
	have, skip int64
	last       time.Time // of the last write
}

// Write passes on what is new.
func (c *counted) Write(p []byte) (int, error) {
	old := min(c.skip, int64(len(p)))
	c.skip -= old
	if old == int64(len(p)) {
		return len(p), nil
	}
	n, err := c.w.Write(p[old:])
	c.have += int64(n)
	c.last = time.Now()
	return int(old) + n, err
}

// replay carries the output that the stream of an engine that died did not: from the log, without what came before.
// Where the run was seen from its beginning the bytes are counted, else what was logged since the last byte is taken.
func (a *attachment) replay(ctx context.Context, w *watch) {
	o := client.ContainerLogsOptions{ShowStdout: a.stdout, ShowStderr: a.stderr, Follow: true}
	ct, err := w.inspect(ctx)
	if err != nil || !a.stdout && !a.stderr {
		return // it is no more, and its log neither
	}
	a.out.skip, a.errs.skip = a.out.have, a.errs.have
	if a.midway {
		a.out.skip, a.errs.skip = 0, 0
		last := a.out.last
		if a.errs.last.After(last) {
			last = a.errs.last
		}
		o.Since = last.Add(time.Nanosecond).UTC().Format(time.RFC3339Nano)
	} else if ct.State != nil && w.was != neverStarted {
		o.Since = ct.State.StartedAt // the log holds earlier runs too
	}
	r, err := w.cl.ContainerLogs(ctx, a.id, o)
	if err != nil {
		return // of a log driver that keeps nothing
	}
	defer r.Close()
	if a.tty {
		io.Copy(a.out, r)
		return
	}
	stream.Demux(a.out, a.errs, r)
}
